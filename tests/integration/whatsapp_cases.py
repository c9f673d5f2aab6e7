"""The table of test_whatsapp_cases: what WhatsApp can say and what can be said to it, one labelled row each.

Rows are data only. Shapes are those of Meta's pages on webhooks (payload reference) and on sending messages; every id is made up.
"""

MEDIA = {"id": "MEDIA1", "mime_type": "image/jpeg", "sha256": "4WqV1LhFuzTiA9vDDzk7sDYBmgJoc8bWqA9AFlKJUqk="}
REFERRAL = {"source_url": "https://fb.me/ad1", "source_id": "120", "source_type": "ad", "body": "Half price", "headline": "Cakes",
            "media_type": "image", "image_url": "https://scontent.example/ad.jpg", "ctwa_clid": "ARA1"}
QUOTED = {"from": "15550783881", "id": "wamid.EARLIER"}
LOST = [{"code": 131052, "title": "Media download error", "message": "m", "error_data": {"details": "above 100 MB"}}]

# (label, fields of the message beside from, id and timestamp, want): want has the stored type, the text the agent reads, whether a turn
# (so an answer) follows, and parts of the stored content.
MESSAGES = [
    ("text", {"type": "text", "text": {"body": "When does the shop open?"}}, {"type": "text", "text": "When does the shop open?", "turn": True}),
    ("text with emoji and newline", {"type": "text", "text": {"body": "Hi \U0001f44b\u00e4\n2nd"}}, {"type": "text", "text": "Hi \U0001f44b\u00e4\n2nd", "turn": True}),
    ("text of one emoji", {"type": "text", "text": {"body": "\U0001f468\u200d\U0001f469\u200d\U0001f467"}},
     {"type": "text", "text": "\U0001f468\u200d\U0001f469\u200d\U0001f467", "turn": False}),  # nothing to answer in it
    ("text longer than may be sent", {"type": "text", "text": {"body": "open? " * 1000}}, {"type": "text", "text": "open? " * 1000, "turn": True}),
    ("text with slashes and quotes", {"type": "text", "text": {"body": "a/b \"c\" \\ d"}}, {"type": "text", "text": "a/b \"c\" \\ d", "turn": True}),
    ("text with half of an emoji", {"type": "text", "text": {"body": "cut \ud83d"}}, {"type": "text", "text": "cut \ufffd", "turn": True}),
    ("text without a body", {"type": "text", "text": {}}, {"type": "text", "text": "", "turn": False}),
    ("text whose object is missing", {"type": "text"}, {"type": "text", "text": "", "turn": False}),
    ("text that quotes", {"type": "text", "text": {"body": "that one"}, "context": QUOTED},
     {"type": "text", "text": "that one", "turn": True, "reply_to": "wamid.EARLIER"}),
    ("text that quotes what is too old", {"type": "text", "text": {"body": "that old one"}, "context": {"from": "15550783881"}},
     {"type": "text", "text": "that old one", "turn": True}),
    ("text forwarded", {"type": "text", "text": {"body": "look"}, "context": {"forwarded": True}},
     {"type": "text", "text": "look", "turn": True, "content": {"forwarded": True}}),
    ("text forwarded often", {"type": "text", "text": {"body": "look"}, "context": {"frequently_forwarded": True}},
     {"type": "text", "text": "look", "turn": True, "content": {"forwarded": True}}),
    ("text about a product", {"type": "text", "text": {"body": "is it red?"}, "context": {**QUOTED, "referred_product": {"catalog_id": "1", "product_retailer_id": "sku"}}},
     {"type": "text", "text": "is it red?", "turn": True, "reply_to": "wamid.EARLIER", "content": {"referred_product": {"catalog_id": "1", "product_retailer_id": "sku"}}}),
    ("text from an advertisement", {"type": "text", "text": {"body": "about the ad"}, "referral": REFERRAL},
     {"type": "text", "text": "about the ad", "turn": True, "content": {"referral": REFERRAL}}),
    ("text from an advertisement in a status", {"type": "text", "text": {"body": "about it"}, "referral": {k: v for k, v in REFERRAL.items() if k != "ctwa_clid"}},
     {"type": "text", "text": "about it", "turn": True}),
    ("image", {"type": "image", "image": {**MEDIA}}, {"type": "image", "text": "[image]", "turn": True, "content": {"id": "MEDIA1"}}),
    ("image with a caption", {"type": "image", "image": {**MEDIA, "caption": "my broken cup"}}, {"type": "image", "text": "my broken cup", "turn": True}),
    ("image with its address", {"type": "image", "image": {**MEDIA, "url": "https://lookaside.example/1"}}, {"type": "image", "text": "[image]", "turn": True}),
    ("image that was lost", {"type": "image", "errors": LOST}, {"type": "image", "text": "[image]", "turn": True, "content": {"errors": LOST}}),
    ("image from an advertisement", {"type": "image", "image": {**MEDIA}, "referral": REFERRAL}, {"type": "image", "text": "[image]", "turn": True, "content": {"referral": REFERRAL}}),
    ("video", {"type": "video", "video": {**MEDIA, "mime_type": "video/mp4"}}, {"type": "video", "text": "[video]", "turn": True}),
    ("video with a caption", {"type": "video", "video": {**MEDIA, "mime_type": "video/mp4", "caption": "it rattles"}}, {"type": "video", "text": "it rattles", "turn": True}),
    ("voice note", {"type": "audio", "audio": {**MEDIA, "mime_type": "audio/ogg; codecs=opus", "voice": True}},
     {"type": "audio", "text": "[voice message]", "turn": True, "content": {"voice": True}}),
    ("audio file", {"type": "audio", "audio": {**MEDIA, "mime_type": "audio/mpeg", "voice": False}}, {"type": "audio", "text": "[voice message]", "turn": True}),
    ("voice, the old name", {"type": "voice", "voice": {**MEDIA, "mime_type": "audio/ogg"}}, {"type": "audio", "text": "[voice message]", "turn": True}),
    ("document", {"type": "document", "document": {**MEDIA, "mime_type": "application/zip", "filename": "offer.zip"}},
     {"type": "document", "text": "[document: offer.zip]", "turn": True}),
    ("document with a caption", {"type": "document", "document": {**MEDIA, "mime_type": "application/zip", "filename": "o.zip", "caption": "my order"}},
     {"type": "document", "text": "my order", "turn": True}),
    ("document without a name", {"type": "document", "document": {**MEDIA, "mime_type": "application/zip"}}, {"type": "document", "text": "[document]", "turn": True}),
    ("sticker", {"type": "sticker", "sticker": {**MEDIA, "mime_type": "image/webp", "animated": False}}, {"type": "sticker", "text": "[sticker]", "turn": False}),
    ("sticker that moves", {"type": "sticker", "sticker": {**MEDIA, "mime_type": "image/webp", "animated": True}}, {"type": "sticker", "text": "[sticker]", "turn": False}),
    ("location", {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4}}, {"type": "location", "text": "[location]", "turn": True, "content": {"latitude": 52.5}}),
    ("location with name and address", {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4, "name": "Our shop", "address": "Main St 1"}},
     {"type": "location", "text": "Our shop, Main St 1", "turn": True}),
    ("location as text", {"type": "location", "location": {"latitude": "52.5", "longitude": "13.4", "name": "Home"}}, {"type": "location", "text": "Home", "turn": True}),
    ("contact card", {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana B", "first_name": "Ana"}, "phones": [{"phone": "+1 650", "wa_id": "1650"}]}]},
     {"type": "contacts", "text": "Ana B", "turn": True}),
    ("two contact cards", {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}, {"name": {"formatted_name": "Bo"}}]},
     {"type": "contacts", "text": "Ana, Bo", "turn": True}),
    ("contact card without a name", {"type": "contacts", "contacts": [{"phones": [{"phone": "1"}]}]}, {"type": "contacts", "text": "[contact card]", "turn": True}),
    ("contact shared on request", {"type": "contacts", "origin": "contact_request", "contacts": [{"name": {"formatted_name": "Me"}, "phones": [{"phone": "1"}]}]},
     {"type": "contacts", "text": "Me", "turn": True, "content": {"origin": "contact_request"}}),
    ("reply button", {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes please"}}, "context": QUOTED},
     {"type": "interactive", "text": "Yes please", "turn": True, "reply_to": "wamid.EARLIER", "content": {"type": "button_reply"}}),
    ("list row", {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "Rye bread", "description": "500 g"}}},
     {"type": "interactive", "text": "Rye bread", "turn": True}),
    ("list row without a description", {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "Rye"}}},
     {"type": "interactive", "text": "Rye", "turn": True}),
    ("flow reply", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{\"a\":1}"}}},
     {"type": "interactive", "text": "Sent", "turn": True}),
    ("flow reply whose JSON is none", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{broken"}}},
     {"type": "interactive", "text": "Sent", "turn": True}),
    ("flow reply with null", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": None}}}, {"type": "interactive", "text": "[choice]", "turn": True}),
    ("address reply", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "address_message", "body": "Main St 1", "response_json": "{}"}}},
     {"type": "interactive", "text": "Main St 1", "turn": True}),
    ("call permission", {"type": "interactive", "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": "accept", "expiration_timestamp": "1"}}},
     {"type": "interactive", "text": "accept", "turn": True}),
    ("interactive with an error only", {"type": "interactive", "errors": [{"code": 131051, "title": "Unsupported"}]}, {"type": "interactive", "text": "[choice]", "turn": True}),
    ("template's button", {"type": "button", "button": {"text": "Track it", "payload": "TRACK"}, "context": QUOTED},
     {"type": "button", "text": "Track it", "turn": True, "reply_to": "wamid.EARLIER"}),
    ("template's button without text", {"type": "button", "button": {"payload": "TRACK"}}, {"type": "button", "text": "TRACK", "turn": True}),
    ("order with a text", {"type": "order", "order": {"catalog_id": "1", "text": "asap", "product_items": [{"product_retailer_id": "sku", "quantity": 1, "item_price": 2.5, "currency": "EUR"}]}},
     {"type": "order", "text": "asap", "turn": True}),
    ("order without a text", {"type": "order", "order": {"catalog_id": "1", "product_items": [{"product_retailer_id": "a", "quantity": 1, "item_price": 2, "currency": "EUR"}] * 2}},
     {"type": "order", "text": "[order of 2 items]", "turn": True}),
    ("reaction", {"type": "reaction", "reaction": {"message_id": "wamid.EARLIER", "emoji": "\U0001f44d"}}, {"type": "reaction", "text": "", "turn": False, "content": {"emoji": "\U0001f44d"}}),
    ("reaction taken back", {"type": "reaction", "reaction": {"message_id": "wamid.EARLIER", "emoji": ""}}, {"type": "reaction", "text": "", "turn": False}),
    ("reaction taken back, no field", {"type": "reaction", "reaction": {"message_id": "wamid.EARLIER"}}, {"type": "reaction", "text": "", "turn": False}),
    ("edited message", {"type": "edit", "edit": {"original_message_id": "wamid.EARLIER", "message": {"type": "text", "text": {"body": "I meant nine"}}}},
     {"type": "edit", "text": "I meant nine", "turn": True}),
    ("edited caption", {"type": "edit", "edit": {"original_message_id": "wamid.EARLIER", "message": {"type": "image", "image": {"caption": "new caption"}}}},
     {"type": "edit", "text": "new caption", "turn": True}),
    ("withdrawn message", {"type": "revoke", "revoke": {"original_message_id": "wamid.EARLIER"}}, {"type": "revoke", "text": "", "turn": False}),
    ("chat opened", {"type": "request_welcome"}, {"type": "request_welcome", "text": "", "turn": False}),
    ("unsupported poll", {"type": "unsupported", "unsupported": {"type": "poll"}, "errors": [{"code": 131051, "title": "Unsupported"}]},
     {"type": "unsupported", "text": "[a message of a kind that this channel cannot show: poll]", "turn": True}),
    ("unsupported, nothing said", {"type": "unsupported", "errors": [{"code": 131051}]},
     {"type": "unsupported", "text": "[a message of a kind that this channel cannot show]", "turn": True}),
    ("unavailable at the moment", {"type": "unsupported", "errors": [{"code": 131060, "title": "currently unavailable"}]},
     {"type": "unsupported", "text": "[a message of a kind that this channel cannot show]", "turn": True}),
    ("unknown, the old name", {"type": "unknown", "errors": [{"code": 501, "title": "Unknown", "details": "x"}]},
     {"type": "unsupported", "text": "[a message of a kind that this channel cannot show]", "turn": True}),
    ("a type of tomorrow", {"type": "hologram", "hologram": {"x": 1}},
     {"type": "unsupported", "text": "[a message of a kind that this channel cannot show: hologram]", "turn": True, "content": {"hologram": {"x": 1}}}),
    ("no type at all", {"text": {"body": "hi"}}, {"type": "unsupported", "text": "[a message of a kind that this channel cannot show: no type]", "turn": True}),
    ("identity changed", {"type": "system", "system": {"type": "customer_identity_changed", "body": "identity changed", "identity": "x", "customer": "1"}},
     {"type": "system", "text": "identity changed", "turn": False, "window": False}),
    ("time in milliseconds", {"type": "text", "text": {"body": "ms"}, "timestamp": "ms"}, {"type": "text", "text": "ms", "turn": True}),
    ("time as a number", {"type": "text", "text": {"body": "number"}, "timestamp": "int"}, {"type": "text", "text": "number", "turn": True}),
    ("time that is none", {"type": "text", "text": {"body": "no time"}, "timestamp": "soon"}, {"type": "text", "text": "no time", "turn": True}),
]

# (label, sender fields of the message, contacts[] or None, identities that the contact then has)
SENDERS = [
    ("phone only", {"from": "16507010001"}, [{"profile": {"name": "A"}, "wa_id": "16507010001"}], {"phone": "+16507010001"}),
    ("phone and BSUID", {"from": "16507010002", "from_user_id": "US.S2"}, [{"profile": {"name": "A"}, "wa_id": "16507010002", "user_id": "US.S2"}],
     {"phone": "+16507010002", "bsuid": "US.S2"}),
    ("BSUID only", {"from_user_id": "US.S3"}, [{"profile": {"name": "A"}, "user_id": "US.S3"}], {"bsuid": "US.S3"}),
    ("BSUID in the place of the phone", {"from": "US.S4"}, [{"profile": {"name": "A"}, "wa_id": "US.S4"}], {"bsuid": "US.S4"}),
    ("a parent id too", {"from_user_id": "US.S5", "from_parent_user_id": "US.ENT.S5"}, [{"profile": {"name": "A"}, "user_id": "US.S5", "parent_user_id": "US.ENT.S5"}],
     {"bsuid": "US.S5"}),
    ("with a username", {"from_user_id": "US.S6"}, [{"profile": {"name": "A", "username": "@cara"}, "user_id": "US.S6"}], {"bsuid": "US.S6", "username": "cara"}),
    ("no contacts at all", {"from": "16507010007"}, None, {"phone": "+16507010007"}),
    ("contacts about somebody else", {"from": "16507010008"}, [{"profile": {"name": "B"}, "wa_id": "16500000000"}], {"phone": "+16507010008"}),
    ("a profile without a name", {"from": "16507010009"}, [{"profile": {}, "wa_id": "16507010009"}], {"phone": "+16507010009"}),
]

# (label, items that make up `messages`, reason of the quarantine)
BAD = [
    ("message without an id", {"messages": [{"from": "16507020001", "type": "text", "text": {"body": "x"}}]}, "a message without an id"),
    ("message with an empty id", {"messages": [{"from": "16507020001", "id": "", "type": "text", "text": {"body": "x"}}]}, "a message without an id"),
    ("message without a sender", {"messages": [{"id": "wamid.NOBODY", "type": "text", "text": {"body": "x"}}]}, "a message without a sender"),
    ("message that is text", {"messages": ["x"]}, "a message that is no object"),
    ("messages that are no list", {"messages": {"x": 1}}, "a message that is no object"),
    ("status without a word", {"statuses": [{"id": "wamid.X"}]}, "a status without an id or a word"),
    ("status without an id", {"statuses": [{"status": "sent"}]}, "a status without an id or a word"),
    ("status that is a number", {"statuses": [7]}, "a status that is no object"),
    ("for a number that nobody has", {"metadata": {"phone_number_id": "999"}, "messages": [{"from": "16507020009", "id": "wamid.ELSE", "type": "text", "text": {"body": "x"}}]},
     "it is for a number that no channel has"),
]

FAILED = [{"code": 131026, "title": "Message undeliverable", "message": "m", "error_data": {"details": "gone"}}]
# (label, statuses in order of arrival, the message's status at the end, the events)
STATUSES = [
    ("sent", ["sent"], "sent", ["sent"]),
    ("delivered", ["sent", "delivered"], "delivered", ["sent", "delivered"]),
    ("read", ["sent", "delivered", "read"], "read", ["sent", "delivered", "read"]),
    ("played", ["sent", "delivered", "read", "played"], "read", ["sent", "delivered", "read"]),
    ("played without read", ["sent", "played"], "read", ["sent", "read"]),
    ("read without delivered", ["sent", "read"], "read", ["sent", "read"]),
    ("everything twice", ["sent", "sent", "delivered", "delivered", "read", "read"], "read", ["sent", "delivered", "read"]),
    ("backwards", ["read", "delivered", "sent"], "read", ["sent", "read"]),
    ("delivered before sent", ["delivered", "sent"], "delivered", ["sent", "delivered"]),
    ("failed", [("failed", {"errors": FAILED})], "failed", ["sent", "failed"]),
    ("failed without errors", ["failed"], "failed", ["sent", "failed"]),
    ("failed after delivered", ["delivered", ("failed", {"errors": FAILED})], "delivered", ["sent", "delivered"]),
    ("delivered after failed", [("failed", {"errors": FAILED}), "delivered"], "delivered", ["sent", "failed", "delivered"]),
    ("failed and read", ["read", ("failed", {"errors": FAILED})], "read", ["sent", "read"]),
    ("sent after failed", [("failed", {"errors": FAILED}), "sent"], "failed", ["sent", "failed"]),
    ("deleted, an old word", ["delivered", "deleted"], "delivered", ["sent", "delivered"]),
    ("warning, an old word", ["sent", "warning"], "sent", ["sent"]),
    ("a word of tomorrow", ["sent", "teleported", "delivered"], "delivered", ["sent", "delivered"]),
    ("without a recipient", [("delivered", {"recipient_id": None})], "delivered", ["sent", "delivered"]),
    ("recipient as BSUID", [("delivered", {"recipient_id": None, "recipient_user_id": "US.X1"})], "delivered", ["sent", "delivered"]),
    ("without our own id", [("delivered", {"biz_opaque_callback_data": None})], "delivered", ["sent", "delivered"]),
    ("with somebody else's own id", [("delivered", {"biz_opaque_callback_data": "order-17"})], "delivered", ["sent", "delivered"]),
    ("with prices and conversation", [("delivered", {"pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"},
                                                     "conversation": {"id": "c", "origin": {"type": "service"}}})], "delivered", ["sent", "delivered"]),
    ("time as a number", [("delivered", {"timestamp": 1749416383})], "delivered", ["sent", "delivered"]),
    ("time in milliseconds", [("delivered", {"timestamp": "1749416383000"})], "delivered", ["sent", "delivered"]),
    ("time that is none", [("delivered", {"timestamp": "soon"})], "delivered", ["sent", "delivered"]),
    ("error data as text", [("failed", {"errors": [{"code": 131000, "title": "t", "error_data": "plain text"}]})], "failed", ["sent", "failed"]),
]

# (label, field, value): stored as a notice, answered with 200, nothing else
NOTICES = [
    ("template approved", "message_template_status_update", {"event": "APPROVED", "message_template_id": 9007199254740993, "message_template_name": "a", "message_template_language": "en"}),
    ("template quality", "message_template_quality_update", {"previous_quality_score": "GREEN", "new_quality_score": "RED", "message_template_id": 1, "message_template_name": "a", "message_template_language": "en"}),
    ("template components", "message_template_components_update", {"message_template_id": 1, "message_template_name": "a", "message_template_language": "en"}),
    ("template category", "template_category_update", {"message_template_id": 1, "message_template_name": "a", "message_template_language": "en", "previous_category": "UTILITY", "new_category": "MARKETING"}),
    ("account review", "account_review_update", {"decision": "APPROVED"}),
    ("name decided", "phone_number_name_update", {"display_phone_number": "15550783881", "decision": "APPROVED", "requested_verified_name": "Shop"}),
    ("security", "security", {"display_phone_number": "15550783881", "event": "PIN_CHANGED", "requester": "1"}),
    ("business username", "business_username_update", {"display_phone_number": "15550783881", "username": "shop"}),
    ("payments", "payment_configuration_update", {"configuration_name": "x", "status": "Active"}),
    ("partner solutions", "partner_solutions", {"event": "SOLUTION_CREATED", "solution_id": "1"}),
    ("automatic events", "automatic_events", {"event": "lead"}),
    ("flows", "flows", {"event": "FLOW_STATUS_CHANGE", "flow_id": "1", "old_status": "DRAFT", "new_status": "PUBLISHED"}),
    ("history", "history", {"history": [{"metadata": {"phase": 0, "chunk_order": 1, "progress": 100}, "threads": []}]}),
    ("contacts of the phone app", "smb_app_state_sync", {"state_sync": [{"type": "contact", "action": "add", "contact": {"full_name": "A", "phone_number": "1"}}]}),
    ("user id changed", "user_id_update", {"user_id": "US.NEW", "previous_user_id": "US.OLD"}),
    ("group lifecycle", "group_lifecycle_update", {"groups": [{"group_id": "g"}]}),
    ("group participants", "group_participants_update", {"groups": [{"group_id": "g"}]}),
    ("group settings", "group_settings_update", {"groups": [{"group_id": "g"}]}),
    ("call ends", "calls", {"calls": [{"id": "wacid.2", "from": "16507030002", "to": "15550783881", "event": "terminate", "direction": "USER_INITIATED", "timestamp": "1749416383", "status": "COMPLETED"}]}),
    ("call of ours", "calls", {"calls": [{"id": "wacid.3", "from": "15550783881", "to": "16507030003", "event": "connect", "direction": "BUSINESS_INITIATED", "timestamp": "1749416383"}]}),
    ("preference that is none", "user_preferences", {"user_preferences": [{"wa_id": "16507030004", "category": "marketing_messages", "value": "perhaps"}]}),
    ("errors of the number", "messages", {"errors": [{"code": 130429, "title": "Rate limit hit"}]}),
    ("an empty value", "messages", {"messaging_product": "whatsapp"}),
    ("a field of tomorrow", "holograms", {"x": 1}),
]

# (label, field, value, what the channel then shows): reason.code "..." means paused, None active
ACCOUNT = [
    ("account disabled", "account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE", "waba_ban_date": "today"}}, {"paused": "DISABLED_UPDATE"}),
    ("account works again", "account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE", "waba_ban_date": "today"}}, {"paused": None}),
    ("ban announced", "account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE"}}, {"paused": None, "alert": "DISABLED_UPDATE"}),
    ("may not answer", "account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", "expiration": 1}]},
     {"paused": "ACCOUNT_RESTRICTION"}),
    ("may not begin conversations", "account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1}]},
     {"paused": None, "alert": "ACCOUNT_RESTRICTION"}),
    ("broke the rules", "account_update", {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "ADULT"}}, {"paused": None, "alert": "ACCOUNT_VIOLATION"}),
    ("account deleted", "account_update", {"event": "ACCOUNT_DELETED"}, {"paused": "ACCOUNT_DELETED"}),
    ("app removed", "account_update", {"event": "PARTNER_REMOVED"}, {"paused": "PARTNER_REMOVED"}),
    ("limit of the account", "business_capability_update", {"max_daily_conversations_per_business": 2000, "max_phone_numbers_per_business": 25}, {"messaging_limit": 2000}),
    ("no limit", "business_capability_update", {"max_daily_conversations_per_business": -1}, {"messaging_limit": -1}),
    ("limit as a tier", "phone_number_quality_update", {"display_phone_number": "+1 555 078 3881", "event": "ONBOARDING", "max_daily_conversations_per_business": "TIER_10K"}, {"messaging_limit": 10000}),
    ("limit by its old name", "phone_number_quality_update", {"display_phone_number": "15550783881", "event": "UPGRADE", "current_limit": "TIER_100K"}, {"messaging_limit": 100000}),
    ("throughput", "phone_number_quality_update", {"display_phone_number": "15550783881", "event": "THROUGHPUT_UPGRADE", "current_limit": "TIER_UNLIMITED"}, {"throughput": 1000, "messaging_limit": -1}),
    ("flagged", "phone_number_quality_update", {"display_phone_number": "15550783881", "event": "FLAGGED", "current_limit": "TIER_2K"}, {"quality": "LOW", "messaging_limit": 2000}),
    ("of another number", "phone_number_quality_update", {"display_phone_number": "15550009999", "event": "UNFLAGGED", "current_limit": "TIER_250"}, {"quality": "LOW", "messaging_limit": 250}),
    ("no longer flagged", "phone_number_quality_update", {"display_phone_number": "15550783881", "event": "UNFLAGGED"}, {"quality": "OK"}),
    ("alert", "account_alerts", {"entity_type": "WABA", "entity_id": "1", "alert_info": {"alert_severity": "CRITICAL", "alert_status": "ACTIVE", "alert_type": "OBA_APPROVED", "alert_description": "d"}},
     {"alert": "OBA_APPROVED"}),
]


def button(number, **fields):
    return {"type": "reply", "reply": {"id": f"b{number}", "title": f"Title {number}", **fields}}


def buttons(*items, **fields):
    return {"type": "button", "body": {"text": "Choose"}, "action": {"buttons": list(items)}, **fields}


def row(number, **fields):
    return {"id": f"r{number}", "title": f"Row {number}", **fields}


def listed(*sections, **fields):
    return {"type": "list", "body": {"text": "Choose"}, "action": {"button": "Open", "sections": list(sections)}, **fields}


def link(**parameters):
    return {"type": "cta_url", "body": {"text": "See"}, "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://e.example/", **parameters}}}


def flow(**parameters):
    return {"type": "flow", "body": {"text": "Book"}, "action": {"name": "flow", "parameters": {k: v for k, v in {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Book now", **parameters}.items() if v is not None}}}


def template(*components, **fields):
    return {"name": "hello", "language": {"code": "en"}, **({"components": list(components)} if components else {}), **fields}


def plain(kind, action, **fields):
    return {"type": kind, "body": {"text": "b"}, "action": action, **fields}


# (label, type, content, the field that is refused or None: then the Graph call has exactly this object)
SENDS = [
    ("image by link", "image", {"link": "https://e.example/a.png"}, None),
    ("image by id with a caption", "image", {"id": "77", "caption": "c" * 1024}, None),
    ("image with a long caption", "image", {"id": "77", "caption": "c" * 1025}, "/caption"),
    ("caption of emojis counts in UTF-16", "image", {"id": "77", "caption": "\U0001f600" * 513}, "/caption"),
    ("image by both", "image", {"id": "77", "link": "https://e.example/a.png"}, "/link"),
    ("image by neither", "image", {"caption": "x"}, "/link"),
    ("image by a file address", "image", {"link": "file:///etc/passwd"}, "/link"),
    ("video", "video", {"link": "https://e.example/a.mp4", "caption": "v"}, None),
    ("audio", "audio", {"link": "https://e.example/a.ogg"}, None),
    ("voice note", "audio", {"id": "78", "voice": True}, None),
    ("audio with a caption", "audio", {"id": "78", "caption": "x"}, "/caption"),
    ("document with a name", "document", {"id": "79", "filename": "offer.pdf", "caption": "the offer"}, None),
    ("document with a long caption", "document", {"id": "79", "caption": "c" * 1025}, "/caption"),
    ("sticker", "sticker", {"id": "80"}, None),
    ("sticker with a caption", "sticker", {"id": "80", "caption": "x"}, "/caption"),
    ("location", "location", {"latitude": 52.5, "longitude": 13.4, "name": "Shop", "address": "Main St 1"}, None),
    ("location beyond the pole", "location", {"latitude": 90.5, "longitude": 13.4}, "/latitude"),
    ("location beyond the date line", "location", {"latitude": 1, "longitude": -181}, "/longitude"),
    ("location without figures", "location", {"name": "Shop"}, "/latitude"),
    ("contact cards", "contacts", {"contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}, "phones": [{"phone": "+1650"}]}]}, None),
    ("no contact cards", "contacts", {"contacts": []}, "/contacts"),
    ("258 contact cards", "contacts", {"contacts": [{"name": {"formatted_name": "A"}}] * 258}, "/contacts"),
    ("contact card without a name", "contacts", {"contacts": [{"name": {"formatted_name": "A"}}, {"phones": []}]}, "/contacts/1/name/formatted_name"),
    ("reaction", "reaction", {"message_id": "wamid.EARLIER", "emoji": "\U0001f44d"}, None),
    ("reaction taken back", "reaction", {"message_id": "wamid.EARLIER", "emoji": ""}, None),
    ("reaction to nothing", "reaction", {"emoji": "\U0001f44d"}, "/message_id"),
    ("reaction without an emoji", "reaction", {"message_id": "wamid.EARLIER"}, "/emoji"),
    ("one button", "interactive", buttons(button(1)), None),
    ("three buttons with header and footer", "interactive", buttons(button(1), button(2), button(3), header={"type": "text", "text": "h" * 60}, footer={"text": "f" * 60}), None),
    ("buttons under an image", "interactive", buttons(button(1), header={"type": "image", "image": {"id": "77"}}), None),
    ("four buttons", "interactive", buttons(*[button(i) for i in range(4)]), "/action/buttons"),
    ("no buttons", "interactive", buttons(), "/action/buttons"),
    ("button title of 21", "interactive", buttons(button(1), button(2, title="t" * 21)), "/action/buttons/1/reply/title"),
    ("button without a title", "interactive", buttons(button(1, title="")), "/action/buttons/0/reply/title"),
    ("button id of 257", "interactive", buttons(button(1, id="i" * 257)), "/action/buttons/0/reply/id"),
    ("two buttons of one title", "interactive", buttons(button(1, title="Yes"), button(2, title="Yes")), "/action/buttons/1/reply/title"),
    ("two buttons of one id", "interactive", buttons(button(1, id="x"), button(2, id="x")), "/action/buttons/1/reply/id"),
    ("button of another type", "interactive", buttons({"type": "url", "reply": {"id": "1", "title": "t"}}), "/action/buttons/0/type"),
    ("buttons without a body", "interactive", {"type": "button", "action": {"buttons": [button(1)]}}, "/body/text"),
    ("body of 1025", "interactive", buttons(button(1), body={"text": "b" * 1025}), "/body/text"),
    ("header of 61", "interactive", buttons(button(1), header={"type": "text", "text": "h" * 61}), "/header/text"),
    ("footer of 61", "interactive", buttons(button(1), footer={"text": "f" * 61}), "/footer/text"),
    ("header of an unknown type", "interactive", buttons(button(1), header={"type": "song"}), "/header/type"),
    ("image header without an image", "interactive", buttons(button(1), header={"type": "image"}), "/header/image"),
    ("list of one section", "interactive", listed({"rows": [row(1, description="d" * 72)]}), None),
    ("list of ten rows in two sections", "interactive", listed(*[{"title": f"S{s}", "rows": [row(10 * s + i) for i in range(5)]} for s in range(2)]), None),
    ("list body of 4096", "interactive", listed({"rows": [row(1)]}, body={"text": "b" * 4096}), None),
    ("list body of 4097", "interactive", listed({"rows": [row(1)]}, body={"text": "b" * 4097}), "/body/text"),
    ("eleven rows", "interactive", listed(*[{"title": f"S{s}", "rows": [row(10 * s + i) for i in range(6)]} for s in range(2)]), "/action/sections/1/rows"),
    ("eleven sections", "interactive", listed(*[{"title": f"S{s}", "rows": [row(s)]} for s in range(11)]), "/action/sections"),
    ("no sections", "interactive", listed(), "/action/sections"),
    ("section without rows", "interactive", listed({"title": "S", "rows": []}), "/action/sections/0/rows"),
    ("two sections, one without a title", "interactive", listed({"title": "S", "rows": [row(1)]}, {"rows": [row(2)]}), "/action/sections/1/title"),
    ("section title of 25", "interactive", listed({"title": "s" * 25, "rows": [row(1)]}), "/action/sections/0/title"),
    ("row title of 25", "interactive", listed({"rows": [row(1), row(2, title="t" * 25)]}), "/action/sections/0/rows/1/title"),
    ("row id of 201", "interactive", listed({"rows": [row(1, id="i" * 201)]}), "/action/sections/0/rows/0/id"),
    ("row description of 73", "interactive", listed({"rows": [row(1, description="d" * 73)]}), "/action/sections/0/rows/0/description"),
    ("two rows of one id", "interactive", listed({"rows": [row(1), row(1)]}), "/action/sections/0/rows/1/id"),
    ("list button of 21", "interactive", {**listed({"rows": [row(1)]}), "action": {"button": "b" * 21, "sections": [{"rows": [row(1)]}]}}, "/action/button"),
    ("list under an image", "interactive", listed({"rows": [row(1)]}, header={"type": "image", "image": {"id": "77"}}), "/header/type"),
    ("link button", "interactive", link(), None),
    ("link button text of 21", "interactive", link(display_text="d" * 21), "/action/parameters/display_text"),
    ("link button to a script", "interactive", link(url="javascript:alert(1)"), "/action/parameters/url"),
    ("link button without an address", "interactive", link(url=""), "/action/parameters/url"),
    ("asks for a location", "interactive", plain("location_request_message", {"name": "send_location"}), None),
    ("asks for a location by another name", "interactive", plain("location_request_message", {"name": "location"}), "/action/name"),
    ("flow", "interactive", flow(), None),
    ("flow by name", "interactive", flow(flow_id=None, flow_name="book"), None),
    ("flow by both", "interactive", flow(flow_name="book"), "/action/parameters/flow_id"),
    ("flow button of 31", "interactive", flow(flow_cta="c" * 31), "/action/parameters/flow_cta"),
    ("flow of another version", "interactive", flow(flow_message_version="2"), "/action/parameters/flow_message_version"),
    ("flow in an odd mode", "interactive", flow(mode="sketch"), "/action/parameters/mode"),
    ("product", "interactive", plain("product", {"catalog_id": "1", "product_retailer_id": "sku"}), None),
    ("product without a catalogue", "interactive", plain("product", {"product_retailer_id": "sku"}), "/action/catalog_id"),
    ("products", "interactive", plain("product_list", {"catalog_id": "1", "sections": [{"title": "S", "product_items": [{"product_retailer_id": "a"}]}]}, header={"type": "text", "text": "h"}), None),
    ("products without a header", "interactive", plain("product_list", {"catalog_id": "1", "sections": [{"title": "S", "product_items": [{"product_retailer_id": "a"}]}]}), "/header/type"),
    ("31 products", "interactive", plain("product_list", {"catalog_id": "1", "sections": [{"title": "S", "product_items": [{"product_retailer_id": "a"}] * 31}]}, header={"type": "text", "text": "h"}),
     "/action/sections/0/product_items"),
    ("catalogue", "interactive", plain("catalog_message", {"name": "catalog_message"}), None),
    ("asks to call", "interactive", plain("call_permission_request", {"name": "call_permission_request"}), None),
    ("address", "interactive", plain("address_message", {"name": "address_message", "parameters": {"country": "IN"}}), None),
    ("carousel of one card", "interactive", plain("carousel", {"cards": [{}]}), "/action/cards"),
    ("interactive without a type", "interactive", {"action": {}}, "/type"),
    ("interactive without an action", "interactive", {"type": "button", "body": {"text": "b"}}, "/action"),
    ("interactive of tomorrow", "interactive", plain("hologram", {"x": 1}), None),
    ("template", "template", template(), None),
    ("template with parameters", "template", template({"type": "header", "parameters": [{"type": "image", "image": {"id": "77"}}]},
                                                      {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "parameter_name": "day", "text": "Monday"}]},
                                                      {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "x"}]}), None),
    ("template without a name", "template", {"language": {"code": "en"}}, "/name"),
    ("template without a language", "template", {"name": "hello"}, "/language/code"),
    ("template component without a type", "template", template({"parameters": []}), "/components/0/type"),
    ("template button without a kind", "template", template({"type": "button", "index": "0"}), "/components/0/sub_type"),
    ("template button without a place", "template", template({"type": "button", "sub_type": "url"}), "/components/0/index"),
    ("template parameters that are no list", "template", template({"type": "body", "parameters": {}}), "/components/0/parameters"),
    ("template parameter without a type", "template", template({"type": "body", "parameters": [{"text": "x"}]}), "/components/0/parameters/0/type"),
    ("template parameter without its text", "template", template({"type": "body", "parameters": [{"type": "text"}]}), "/components/0/parameters/0/text"),
    ("template parameter with an odd name", "template", template({"type": "body", "parameters": [{"type": "text", "text": "x", "parameter_name": "Day 1"}]}),
     "/components/0/parameters/0/parameter_name"),
]

# (label, text, units of the bubbles that leave)
TEXTS = [
    ("one letter", "x", [1]),
    ("4,096 letters", "x" * 4096, [4096]),
    ("one letter more", "x" * 4097, [4096, 1]),
    ("a paragraph's end", "a" * 3000 + "\n\n" + "b" * 3000, [3000, 3000]),
    ("a sentence's end", "a" * 3000 + ". " + "b" * 3000, [3001, 3000]),
    ("a word's end", "a" * 3000 + " " + "b" * 3000, [3000, 3000]),
    ("never inside an emoji", "x" * 4095 + "\U0001f600", [4095, 2]),
    ("never inside a family", "x" * 4090 + "\U0001f468\u200d\U0001f469\u200d\U0001f467", [4090, 8]),
]
