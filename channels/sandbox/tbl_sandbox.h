/* tbl_sandbox.h: the numbers to which the simulated platform behaves in a special way; every other recipient gets
 * sent, delivered, read. X("recipient", behaviour, "what happens") */
X("+15550100001", PLAY_FAILED, "accepted, then failed for good: 131026, undeliverable")
X("+15550100002", PLAY_WINDOW, "refused: 131047, the 24-hour window is closed")
X("+15550100003", PLAY_LIMITED, "refused once with 130429 (rate limit), accepted when tried again")
X("+15550100004", PLAY_UNKNOWN, "no answer, although the platform took it: its statuses tell")
X("+15550100005", PLAY_UNDELIVERED, "accepted and sent, but never delivered")
X("+15550100006", PLAY_UNREAD, "sent and delivered, but never read")
X("+15550100007", PLAY_PAIR, "refused once with 131056 (too many messages to this customer), accepted when tried again")
X("+15550100008", PLAY_PAUSED, "refused: 132015, the template is paused")
X("+15550100009", PLAY_LATE, "accepted; sent, delivered and read come late")
X("+15550100010", PLAY_SHUFFLED, "accepted; read comes first, then sent and delivered, out of order")
X("+15550100011", PLAY_TWICE, "accepted; each status is posted twice")
