"""The shop's settings. DATABASE_URL is sqlite:////absolute/path or postgresql://user@host:port/name."""

import os
from urllib.parse import urlsplit

DATABASE_URL = urlsplit(os.environ.get("DATABASE_URL", "sqlite:////tmp/shop.sqlite3"))

SECRET_KEY = os.environ.get("SECRET_KEY", "for development only")
INSTALLED_APPS = ["django_q", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

if DATABASE_URL.scheme == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE_URL.path.replace("//", "/", 1),
            "OPTIONS": {"timeout": 20},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE_URL.path.lstrip("/"),
            "USER": DATABASE_URL.username,
            "PASSWORD": DATABASE_URL.password or "",
            "HOST": DATABASE_URL.hostname,
            "PORT": DATABASE_URL.port,
        }
    }

Q_CLUSTER = {
    "name": "shop",
    "orm": "default",
    "workers": 2,
    "timeout": 5,
    "retry": 8,
    "max_attempts": 2,
    "poll": 0.1,
}
