"""The parts of the benchmark, in the order in which a run uses them.

main         the command line and the whole run
machine      what has to be installed and built, and what this machine is
changed      gateways without journal or metrics, to compare with
processes    starting, stopping and watching other programs
estate       practices, consumer, tokens and requests: what the load is made of
pki          certificates for the scenarios over TLS
provider     the provider systems behind every contender
collector    where a gateway sends spans
contenders   the proxies that are compared
proof        whether a contender really checks what it claims to check
load         one round of requests
measure      all rounds of a scenario, interleaved
report       medians, ratios, tables, targets
instructions the other command: instructions a request, without load by the clock
"""
