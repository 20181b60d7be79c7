"""The JSON routes below ``/api/v1``, a module for each thing they are about; ``docs/http.md`` is their contract."""
