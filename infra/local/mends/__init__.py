"""What ministack does otherwise than AWS, mended: one function each, which changes one behaviour and stands alone.

Drop a function when upstream has mended it; infra/local/checks shows that each still works.
"""
