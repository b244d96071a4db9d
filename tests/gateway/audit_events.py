"""Reads FHIR AuditEvents, one a line, with models that nobody here wrote, and fails on the first that
is none. The argument is the version: stu3 or r4. Prints how many there were.

R4B of the models is R4 4.3.0, whose AuditEvent is that of 4.0.1.
"""

import sys

if sys.argv[1] == "stu3":
    from fhir.resources.STU3.auditevent import AuditEvent
else:
    from fhir.resources.R4B.auditevent import AuditEvent

count = 0
for line in sys.stdin:
    event = AuditEvent.model_validate_json(line)
    assert event.agent and event.recorded and event.type.code, line
    assert sum(agent.requestor is True for agent in event.agent) == 1, line
    count += 1
print(count)
