import cpgpt
text = 'é'  #> 611=warning@LMWF
