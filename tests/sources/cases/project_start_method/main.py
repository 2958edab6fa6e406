import multiprocessing

import work

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  #> 605=warning@LMF 605=error@W
    work.run()
