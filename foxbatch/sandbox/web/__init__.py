"""The pretend service on a real socket: aiohttp around the pure core.

server     starts and stops it, also in a thread of its own
shell      HTTP messages in, replies out, records kept
delivery   replies as bytes: whole, slow, cut off, or never
wire       what of a reply leaves, and at what pace: pure
files      ranges of served files: pure
doors      the listening socket, which an outage takes away
callbacks  ends of tasks, told on this machine only
hot        files that were asked for lately
contents   what was uploaded, on disk or in memory
store      the records on disk, so that a restart forgets none
live       the page at `/` for people (page.html, .css, .js, .svg)
"""
