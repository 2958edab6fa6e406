"""`python -m cpgpt_doctor`."""

import sys

from cpgpt_doctor.cli import main

if __name__ == "__main__":
    sys.exit(main())
