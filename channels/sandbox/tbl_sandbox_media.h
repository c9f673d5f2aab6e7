/* tbl_sandbox_media.h: media ids of played customers with which the simulated platform behaves in a special way;
 * every other id is that of a file of the same mode. X("id", behaviour, "what happens") */
X("sandbox-gone", FETCH_GONE, "media of a played customer: 131052, the platform has the file no more")
X("sandbox-large", FETCH_LARGE, "media of a played customer: larger than media files may be")
X("sandbox-later", FETCH_LATER, "media of a played customer: 503 at first, then a picture of one dot")
X("sandbox-lies", FETCH_LIES, "media of a played customer: other bytes than the sum that the platform names")
