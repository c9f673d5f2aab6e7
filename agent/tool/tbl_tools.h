/* tbl_tools.h: the tools that work on our own records.
 * X(name, function, enabled, times in one turn, description, parameters as JSON text or NULL: of the agent's settings) */
X("search_knowledge", tool_search, tool_search_enabled, 3,
  "Look something up in the business's knowledge. Use it if the sources given do not hold the answer.",
  "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"description\":\"what to look for\","
  "\"minLength\":1,\"maxLength\":500}},\"required\":[\"query\"],\"additionalProperties\":false}")
X("hand_off", tool_hand_off, tool_hand_off_enabled, 1,
  "Pass the conversation to a person of the business, if the customer wants one or you cannot help.",
  "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"description\":\"why, in a few words\","
  "\"minLength\":1,\"maxLength\":300}},\"required\":[\"reason\"],\"additionalProperties\":false}")
X("save_lead", tool_save_lead, tool_leads_enabled, 4,
  "Note what the customer says about themselves and what they want. Only what they said; leave out the rest.", NULL)
X("find_slots", tool_find_slots, tool_booking_enabled, 4,
  "Find free times for an appointment.",
  "{\"type\":\"object\",\"properties\":{\"service\":{\"type\":\"string\",\"description\":\"name of the service\"},"
  "\"from\":{\"type\":\"string\",\"description\":\"first day, YYYY-MM-DD\"},\"to\":{\"type\":\"string\","
  "\"description\":\"last day, YYYY-MM-DD\"}},\"additionalProperties\":false}")
X("book_appointment", tool_book, tool_booking_enabled, 1,
  "Book one of the free times that find_slots gave and the customer agreed to.",
  "{\"type\":\"object\",\"properties\":{\"service\":{\"type\":\"string\"},\"resource\":{\"type\":\"string\"},"
  "\"starts_at\":{\"type\":\"string\",\"description\":\"starts_at of the slot\"},\"name\":{\"type\":\"string\","
  "\"maxLength\":200},\"notes\":{\"type\":\"string\",\"maxLength\":500}},\"required\":[\"starts_at\"],"
  "\"additionalProperties\":false}")
X("cancel_appointment", tool_cancel, tool_booking_enabled, 1,
  "Cancel a coming appointment of this customer.",
  "{\"type\":\"object\",\"properties\":{\"starts_at\":{\"type\":\"string\",\"description\":\"which one, if there are "
  "several\"},\"reason\":{\"type\":\"string\",\"maxLength\":300}},\"additionalProperties\":false}")
