/* tbl_queues.h: every queue of jobs, one row each.
 * X(symbol, code, "name", tries, first ms, cap ms, "what one job does"): after `tries` failed attempts the job is buried; the
 * n-th retry waits first * 2^(n-1), at most cap, with full jitter. Codes are stored, never reuse one; the
 * highest stands last. */
X(QUEUE_INTAKE,  1, "intake",  8,  200,  60000,  "take one raw platform webhook apart")
X(QUEUE_TURN,    2, "turn",    5,  500,  60000,  "let the agent answer what a customer wrote")
X(QUEUE_SEND,    3, "send",    10, 1000, 300000, "send one message through its channel")
X(QUEUE_DELIVER, 4, "deliver", 20, 1000, 60000,  "deliver one event to one endpoint of a customer's app")
X(QUEUE_SANDBOX, 5, "sandbox", 5,  200,  10000,  "play one step of the simulated platform")
X(QUEUE_SWEEP,   6, "sweep",   5,  1000, 600000, "drop what retention no longer keeps")
X(QUEUE_RECEIPT, 7, "receipt", 3,  500,  5000,   "tell the platform that a customer's message is being read")
X(QUEUE_PROBE,   8, "probe",   5,  1000, 60000,  "look whether a paused channel works again")
X(QUEUE_MEDIA,   9, "media",   8,  1000, 600000, "fetch one media file that a customer sent")
X(QUEUE_TEMPLATE, 10, "template", 6, 1000, 300000, "sync, create or delete message templates at the platform")
X(QUEUE_READING, 11, "reading", 5, 500, 5000,    "make words of a voice message or a document that a customer sent")
X(QUEUE_REMINDER, 12, "reminder", 6, 1000, 60000,  "remind a customer of an appointment")
X(QUEUE_CARE, 13, "care", 6, 1000, 60000,      "look after a conversation that waits for a person or has one")
X(QUEUE_SOURCE, 14, "source", 5, 1000, 600000, "read one knowledge source: a file, a page, a site")
X(QUEUE_FLOW,    15, "flow",    6, 500, 60000,   "wake a flow, or begin it because of an event or a time")
X(QUEUE_INTEGRATION, 16, "integration", 8, 1000, 300000, "call a service that the account has joined: Slack, Zoom, Zapier, any HTTP API")
X(QUEUE_ERASE, 20, "erase", 20, 1000, 600000,  "delete all that is kept of a person")
X(QUEUE_TRIAL, 21, "trial", 5, 1000, 60000,  "play one step of an adversarial test")
X(QUEUE_EMBED, 22, "embed", 12, 1000, 600000,  "give the passages of a collection their vectors")
