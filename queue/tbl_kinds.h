/* tbl_kinds.h: every kind of record, and every secondary index the store keeps for it.
 *
 * KIND(symbol, code, "name", "id prefix", feed): code is stored, never reuse one. feed: changes of this kind are written to
 * the change feed that derived data (the knowledge index) follows.
 * INDEX(symbol, code, kind, "name", "field", "field", "field"): fields of the record's JSON in order, "" where unused; a
 * record that lacks one of them (or holds null there) is not in the index. Text fields are cut at 150 bytes. Within
 * equal fields entries are ordered by id, that is by birth. counted: the store keeps the number of entries for each
 * value of the first field. Codes of indexes are stored, never reuse one; an index that changes (fields, counted) gets a new
 * code and its old row goes: stores of older versions are brought forward at opening (upgrade.c). */

/*   symbol             code name            prefix  feed */
#ifdef KIND
KIND(KIND_ACCOUNT,      1,  "account",      "acc",  false)
KIND(KIND_KEY,          2,  "key",          "key",  false)
KIND(KIND_AGENT,        3,  "agent",        "agt",  false)
KIND(KIND_CHANNEL,      4,  "channel",      "chn",  false)
KIND(KIND_CONTACT,      5,  "contact",      "con",  false)
KIND(KIND_IDENTITY,     6,  "identity",     "",     false) /* id "phone:+14155550123" -> contact_id */
KIND(KIND_CONVERSATION, 7,  "conversation", "cnv",  false)
KIND(KIND_MESSAGE,      8,  "message",      "msg",  false)
KIND(KIND_COLLECTION,   9,  "collection",   "col",  true)
KIND(KIND_DOCUMENT,     10, "document",     "doc",  true)
KIND(KIND_WEBHOOK,      11, "webhook",      "whk",  false)
KIND(KIND_EVENT,        12, "event",        "evt",  false)
KIND(KIND_DELIVERY,     13, "delivery",     "dlv",  false)
KIND(KIND_HOOK,         14, "hook",         "hok",  false) /* raw platform webhook, as it came */
KIND(KIND_TURN,         15, "turn",         "trn",  false) /* trace of one turn */
KIND(KIND_IDEMPOTENCY,  16, "idempotency",  "",     false) /* id: hash of route and Idempotency-Key */
KIND(KIND_AUDIT,        17, "audit",        "aud",  false)
KIND(KIND_DEAD,         18, "dead_letter",  "ded",  false) /* buried jobs; written by the store */
KIND(KIND_LIMIT,        19, "limit",        "",     false) /* hour and day windows of a key */
KIND(KIND_SETTING,      20, "setting",      "",     false)
KIND(KIND_QUARANTINE,   21, "quarantine",   "qua",  false) /* an item that could not be understood */
KIND(KIND_ADDRESS,      22, "address",      "",     false) /* global: channel id -> {"part"}, for platform hooks */
KIND(KIND_NOTICE,       23, "notice",       "ntc",  false) /* what a platform told besides messages and statuses */
KIND(KIND_FILE,         24, "file",         "fil",  false) /* a media file, in or out; its bytes are a blob */
KIND(KIND_TEMPLATE,     25, "template",     "",     false) /* id: CHANNEL/NAME/LANGUAGE */
KIND(KIND_LEAD,         26, "lead",         "led",  false)
KIND(KIND_APPOINTMENT,  27, "appointment",  "apt",  false)
KIND(KIND_CALENDAR,     28, "calendar",     "",     false) /* id: AGENT/RESOURCE/DAY; its revision guards the day's bookings */
KIND(KIND_FLOW,         29, "flow",         "flw",  false)
KIND(KIND_SECRET,       30, "secret",       "",     false) /* id: its name; sealed, referred to by flows and tools */
KIND(KIND_PAGE,         31, "page",         "pag",  true) /* one page of a knowledge source */
KIND(KIND_CHAIN,        32, "chain",        "lnk",  false) /* the last link of a chained stream; written by the store alone */
KIND(KIND_FEEDBACK,     40, "feedback",     "fbk",  false)
KIND(KIND_ROLLUP,       41, "rollup",       "",     false) /* id: a quarter of an hour, "2026-11-21T03:15" */
KIND(KIND_INSIGHT,      42, "insight",      "",     false) /* id: the conversation's; what analytics know of it */
KIND(KIND_GAP,          43, "gap",          "gap",  false) /* a question that the knowledge did not answer */
KIND(KIND_INTEGRATION,  46, "integration",  "int",  false)
KIND(KIND_SEGMENT,      44, "segment",      "seg",  false) /* an account's own segment of conversations */
KIND(KIND_TRIAL,        47, "trial",        "adv",  false) /* an adversarial test of an agent; the highest code stands last */
#endif

#ifdef INDEX
/*    symbol                      code kind               name               fields                                counted */
INDEX(INDEX_KEY_BY_HASH,          1,  KIND_KEY,          "by_hash",         "hash", "", "",                        false)
INDEX(INDEX_KEY_BY_ACCOUNT,       2,  KIND_KEY,          "by_account",      "account_id", "mode", "",              true)
INDEX(INDEX_CHANNEL_BY_AGENT,     3,  KIND_CHANNEL,      "by_agent",        "agent_id", "", "",                    true)
INDEX(INDEX_CONVERSATION_RECENT,  4,  KIND_CONVERSATION, "recent",          "last_message_at", "", "",             false)
INDEX(INDEX_CONVERSATION_CONTACT, 5,  KIND_CONVERSATION, "by_contact",      "channel_id", "contact_id", "",        false)
INDEX(INDEX_CONVERSATION_THREAD,  6,  KIND_CONVERSATION, "by_thread",       "channel_id", "thread", "",            false)
INDEX(INDEX_CONVERSATION_STATUS,  7,  KIND_CONVERSATION, "by_status",       "status", "last_message_at", "",       true)
INDEX(INDEX_CONVERSATION_AGENT,   8,  KIND_CONVERSATION, "by_agent",        "agent_id", "last_message_at", "",     true)
INDEX(INDEX_MESSAGE_CONVERSATION, 9,  KIND_MESSAGE,      "by_conversation", "conversation_id", "", "",             true)
INDEX(INDEX_MESSAGE_PLATFORM,     10, KIND_MESSAGE,      "by_platform",     "channel_id", "platform_id", "",       false)
INDEX(INDEX_COLLECTION_EXTERNAL,  11, KIND_COLLECTION,   "by_external",     "external_id", "", "",                 false)
INDEX(INDEX_DOCUMENT_COLLECTION,  12, KIND_DOCUMENT,     "by_collection",   "collection_id", "", "",               true)
INDEX(INDEX_DOCUMENT_EXTERNAL,    13, KIND_DOCUMENT,     "by_external",     "collection_id", "external_id", "",    false)
INDEX(INDEX_WEBHOOK_AGENT,        14, KIND_WEBHOOK,      "by_agent",        "agent_id", "", "",                    true)
INDEX(INDEX_EVENT_CONVERSATION,   15, KIND_EVENT,        "by_conversation", "conversation_id", "", "",             false)
INDEX(INDEX_DELIVERY_WEBHOOK,     16, KIND_DELIVERY,     "by_webhook",      "webhook_id", "", "",                  true)
INDEX(INDEX_TURN_MESSAGE,         17, KIND_TURN,         "by_message",      "message_id", "", "",                  false)
INDEX(INDEX_MESSAGE_OUTBOX,       18, KIND_MESSAGE,      "by_outbox",       "outbox", "", "",                      false)
INDEX(INDEX_CHANNEL_NUMBER,       19, KIND_CHANNEL,      "by_number",       "phone_number_id", "", "",             false)
INDEX(INDEX_NOTICE_CHANNEL,       20, KIND_NOTICE,       "by_channel",      "channel_id", "", "",                  true)
INDEX(INDEX_QUARANTINE_CHANNEL,   21, KIND_QUARANTINE,   "by_channel",      "channel_id", "hook_id", "",           true)
INDEX(INDEX_CONVERSATION_WINDOW,  22, KIND_CONVERSATION, "by_window",       "window_expires_at", "", "",           false)
INDEX(INDEX_TEMPLATE_CHANNEL,     23, KIND_TEMPLATE,     "by_channel",      "channel_id", "name", "",              true)
INDEX(INDEX_LEAD_CONTACT,         24, KIND_LEAD,         "by_contact",      "agent_id", "contact_id", "",          false)
INDEX(INDEX_LEAD_STATUS,          25, KIND_LEAD,         "by_status",       "status", "", "",                      true)
INDEX(INDEX_APPOINTMENT_STARTS,   26, KIND_APPOINTMENT,  "by_start",        "agent_id", "starts_at", "",           true)
INDEX(INDEX_APPOINTMENT_CONTACT,  27, KIND_APPOINTMENT,  "by_contact",      "contact_id", "", "",                  false)
INDEX(INDEX_FLOW_AGENT,           28, KIND_FLOW,         "by_agent",        "agent_id", "", "",                    true)
INDEX(INDEX_PAGE_DOCUMENT,        29, KIND_PAGE,         "by_document",     "document_id", "", "",                 true)
INDEX(INDEX_GAP_CONVERSATION,     30, KIND_GAP,          "by_conversation", "conversation_id", "", "",             false)
INDEX(INDEX_TRIAL_AGENT,          40, KIND_TRIAL,        "by_agent",        "agent_id", "", "",                    true) /* the highest code stands last */
#endif
