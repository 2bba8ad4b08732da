"""The pretend service itself, pure: `core.handle(sandbox, request, now) -> reply`.

core         routes; queries and files; what every request has to pass
submissions  what happens to a request that wants something made, or stored
checks       what is accepted for a model
catalogue    the models and their fields, from `models.json`
llm          what is accepted for a language model, and what it answers
uploads      files taken out of requests
prices       what is charged
accounts     what each key may do and has spent
reads        what is told about the service and a key
story        how long a task takes, how it ends, what a query shows
sizes        how large, long and many results are
results      the items of a query, and the recipes of the files behind them
pages        what the sandbox tells about itself
state        everything that is remembered
openapi      all of it described for machines
"""
