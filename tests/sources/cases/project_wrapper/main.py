from tools import embed

embed(["1:100"], workers=4)  #> 601
