"""A directory for ministack's ``PYTHONPATH``. Python runs its ``sitecustomize.py`` before ministack starts."""
