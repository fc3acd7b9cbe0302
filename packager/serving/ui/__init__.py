"""A page at ``/`` that shows the models and lets people ask them; only where ``--ui`` wants it."""
