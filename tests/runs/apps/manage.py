"""Django's command line, for the project of ticks_django.py."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticks_django")
execute_from_command_line(sys.argv)
