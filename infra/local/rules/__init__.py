"""What check_template.py holds the template to: a rule yields (rule, resource, value, sentence) for each problem."""
