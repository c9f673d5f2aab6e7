/* tbl_account.h: what Meta's field account_update does to the channels of the account; see "Webhooks: account_update".
 *
 * X("event", "state or restriction it speaks of, or empty for any", word, "text"): the first row that fits counts; an
 * event without a row is noted only. A restriction that concerns new conversations or new numbers leaves replies
 * possible, so it does not pause. */
X("DISABLED_UPDATE", "DISABLE", ACCOUNT_PAUSES, "the account is disabled")
X("DISABLED_UPDATE", "REINSTATE", ACCOUNT_RESUMES, "the account works again")
X("DISABLED_UPDATE", "SCHEDULE_FOR_DISABLE", ACCOUNT_NOTED, "the account is about to be disabled")
X("DISABLED_UPDATE", "", ACCOUNT_PAUSES, "the account is disabled")
X("ACCOUNT_RESTRICTION", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", ACCOUNT_PAUSES, "the account may not answer customers")
X("ACCOUNT_RESTRICTION", "", ACCOUNT_NOTED, "the account is restricted")
X("ACCOUNT_VIOLATION", "", ACCOUNT_NOTED, "the account broke the platform's rules")
X("ACCOUNT_DELETED", "", ACCOUNT_PAUSES, "the account was deleted")
X("PARTNER_REMOVED", "", ACCOUNT_PAUSES, "the app has no access to the account any more")
X("PARTNER_APP_UNINSTALLED", "", ACCOUNT_PAUSES, "the app was removed from the account")
X("PARTNER_ADDED", "", ACCOUNT_RESUMES, "the app has access to the account")
