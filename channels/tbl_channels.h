/* tbl_channels.h: every platform, one row each: X(ops) names its struct channel_ops. Adding a platform is a
 * folder and a row. channel_sender puts sandbox_ops in the place of all that reach a platform outside. */
X(whatsapp_ops)
X(api_ops)
