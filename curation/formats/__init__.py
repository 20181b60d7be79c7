"""Other people's formats, in and out: one module a format, each with its importer and its writer."""
