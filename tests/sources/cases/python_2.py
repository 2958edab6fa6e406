import cpgpt
print "hello"  #> 611=warning@LMWF
