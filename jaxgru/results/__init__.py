"""What the configs reach: `python -m jaxgru results` trains the rows of a plan and writes the table of their scores.

plan       which rows there are: a config, how many seeds, what was published
record     results.json: the figures of every run, read and written
page       results.md, of the figures in results.json alone
command    the command line, which trains what is missing
"""
