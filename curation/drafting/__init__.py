"""Drafting questions: by rule, by a model behind an endpoint, by a model in this process; and a critic of drafts."""
