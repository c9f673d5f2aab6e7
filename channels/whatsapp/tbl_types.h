/* tbl_types.h: the types of messages that customers send, one row each.
 *
 * X("type on the wire", "type we store", reader of the text, wants_turn, "text for the agent when there is none"): the
 * reader adds to a buffer what the agent reads; an empty buffer gives the last column. Other types are stored as
 * "unsupported". */
X("text", "text", text_body, true, "")
X("image", "image", media_caption, true, "[image]")
X("video", "video", media_caption, true, "[video]")
X("audio", "audio", nothing, true, "[voice message]")
X("voice", "audio", nothing, true, "[voice message]")
X("document", "document", document_caption, true, "[document]")
X("sticker", "sticker", nothing, false, "[sticker]")
X("location", "location", location_text, true, "[location]")
X("contacts", "contacts", contacts_names, true, "[contact card]")
X("interactive", "interactive", interactive_title, true, "[choice]")
X("button", "button", button_text, true, "[button]")
X("order", "order", order_text, true, "[order]")
X("reaction", "reaction", nothing, false, "")
X("system", "system", system_body, false, "")
X("edit", "edit", edit_text, true, "[edited message]")
X("revoke", "revoke", nothing, false, "")
X("request_welcome", "request_welcome", nothing, false, "")
X("unsupported", "unsupported", unsupported_text, true, "[a message of a kind that this channel cannot show]")
X("unknown", "unsupported", unsupported_text, true, "[a message of a kind that this channel cannot show]")
