import tools

tools.embed(["1:100"], workers=0)
