/* tbl_segments.h: the segments every account has: X(symbol, "name", "which conversations are in it"). */
X(SEGMENT_BY_AI, "resolved_by_ai", "the AI answered last, no person was needed")
X(SEGMENT_BY_HUMAN, "resolved_by_human", "a person answered and is done with it")
X(SEGMENT_ESCALATED, "escalated", "it went to a person")
X(SEGMENT_UNANSWERED, "unanswered",
  "the customer's last message has no answer, or one that says there is none, and no person has it")
X(SEGMENT_LEAD, "lead", "a lead began in it")
X(SEGMENT_BOOKING, "booking", "an appointment was booked in it")
X(SEGMENT_NEGATIVE, "negative", "the customer was angry, or rated it down at last")
X(SEGMENT_RETURNING, "returning", "the contact had an earlier conversation")
