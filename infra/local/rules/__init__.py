"""The rules of check_template.py: each yields (rule, resource, value, description) for each problem."""
