import cpgpt

def broken(:  #> 611=warning@LMWF
    pass
