//! Every bound of the system, in one place (rule 6). Units are last in the name.

mod desk;

pub use desk::*;

/// One audio frame.
pub const FRAME_MS: u64 = 20;
/// Caller audio that waits for a slow consumer before the oldest is dropped and counted.
pub const AUDIO_IN_FRAMES_MAX: usize = 50;
/// Synthesised audio that waits to be played; synthesis is not pulled beyond it.
pub const AUDIO_OUT_BUFFER_MS_MAX: u64 = 4_000;
/// How far ahead of real time audio is handed to a carrier, so that an interruption is exact.
pub const PLAYOUT_LOOKAHEAD_MS: u64 = 200;
/// The most a carrier may ever hold of our audio.
pub const PLAYOUT_LOOKAHEAD_MS_MAX: u64 = 1_000;
/// While caller and agent are both audible, what the caller's audio is like is told this often.
pub const OVERLAP_EVERY_MS: u64 = 100;
/// Answers prepared in vain within one turn of the caller; after that the end of the turn is waited for.
pub const SPECULATIONS_PER_TURN_MAX: u32 = 4;
/// Text generated in vain within one call; after that nothing is prepared any more.
pub const SPECULATION_CHARS_WASTED_MAX: u64 = 20_000;
/// Waiting for a beep, or for the person whom an assistant or a menu of the called side fetches.
pub const ANSWER_HOLD_MS_MAX: u64 = 30_000;
/// Silence that a caller should never have to hear while it is the agent's turn, whatever a provider does.
pub const DEAD_AIR_MS_MAX: u64 = 1_200;
/// Lines of one voice kept as audio.
pub const PHRASES_PER_VOICE_MAX: usize = 64;
/// Voices whose lines are kept as audio; a voice is a provider's voice in one language at one rate.
pub const PHRASE_VOICES_MAX: usize = 64;
/// Audio of all lines of all voices that is kept by one node.
pub const PHRASE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest audio of a line that is kept.
pub const PHRASE_MS_MAX: u64 = 20_000;
/// Lines rendered for the cache at once, by one node.
pub const PHRASE_RENDERS_MAX: usize = 4;
/// One line is rendered within this, or not at all.
pub const PHRASE_RENDER_MS_MAX: u64 = 10_000;
/// A line whose rendering failed is tried again after this; the pause doubles each time.
pub const PHRASE_RETRY_MS: u64 = 5_000;
/// Attempts at one line before it is left until it is asked for again.
pub const PHRASE_ATTEMPTS_MAX: u32 = 5;
/// The lines of configured agents are looked through this often, for agents that have changed.
pub const PHRASE_SWEEP_MS: u64 = 600_000;
/// Interludes that wait for one another.
pub const INTERLUDES_MAX: usize = 4;
/// Sentences that wait for synthesis.
pub const TTS_SEGMENTS_MAX: usize = 8;
/// Inputs that wait for a call's engine; overflow ends the call with a journaled reason.
pub const ENGINE_INPUTS_MAX: usize = 256;
/// Journal entries kept in memory while the database is away.
pub const JOURNAL_BUFFER_MAX: usize = 64;
/// First pause before a journal append is repeated; doubles up to [`JOURNAL_RETRY_MS_MAX`].
pub const JOURNAL_RETRY_MS: u64 = 50;
/// Longest pause before a journal append is repeated.
pub const JOURNAL_RETRY_MS_MAX: u64 = 1_000;
/// How long entries of an ended call are offered to a database that is away.
pub const JOURNAL_FLUSH_MS_MAX: u64 = 30_000;
/// A recogniser is given audio in pieces of this length, but for the first words of a turn.
pub const STT_PIECE_MS: u64 = 60;
/// The same while the caller has been silent for a while.
pub const STT_QUIET_PIECE_MS: u64 = 200;
/// What live calls write within this time goes to an embedded database in one transaction. An effect that must be in the journal
/// first waits for it, and nobody hears that: a tool or a transfer takes longer.
pub const WRITES_GATHERED_MS: u64 = 50;
/// Writes of live calls that wait for that; each call has two at most.
pub const WRITES_GATHERED_MAX: usize = 8_192;
/// Pages of an embedded database's log (32 MiB) after which they are moved into the database: what many calls write again and again
/// in between is moved once.
pub const SQLITE_LOG_PAGES: u32 = 8_192;
/// Connections of an embedded database that only read.
pub const SQLITE_READERS_MAX: u32 = 4;
/// Live events buffered per listener; a slower listener loses the oldest.
pub const LIVE_EVENTS_MAX: usize = 64;
/// One message on a media socket.
pub const MEDIA_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Playout marks of one media socket that were sent and not echoed; more forgets the oldest.
pub const MEDIA_MARKS_MAX: usize = 1024;
/// One message from a provider.
pub const PROVIDER_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The longest pause that a provider's `Retry-After` can impose on us.
pub const RETRY_AFTER_MS_MAX: u64 = 60_000;
/// Tool calls that one generation may ask for; more is a broken or hostile stream.
pub const TOOL_CALLS_PER_GENERATION_MAX: usize = 16;
/// Bytes of the arguments of one tool call.
pub const TOOL_ARGS_BYTES_MAX: usize = 64 * 1024;
/// The body of an ordinary provider answer.
pub const PROVIDER_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The body of a request to the API unless a route raises it.
pub const API_BODY_BYTES_MAX: usize = 16 * 1024;
/// The body of a request that describes an agent, with its persona, lines and tools.
pub const AGENT_BODY_BYTES_MAX: usize = 256 * 1024;
/// A request to the API has begun to be answered by then.
pub const API_REQUEST_MS_MAX: u64 = 30_000;
/// How long the first answer under an idempotency key is given again.
pub const IDEMPOTENCY_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// A request with an idempotency key that has not been answered by then has died with its process, and may be made again.
pub const IDEMPOTENCY_RUNNING_MS_MAX: i64 = 60_000;
/// Bytes of an answer that is kept under an idempotency key.
pub const IDEMPOTENT_ANSWER_BYTES_MAX: usize = 512 * 1024;
/// The body of a carrier's webhook.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 64 * 1024;
/// Rows on one page of a list.
pub const PAGE_ROWS_MAX: u32 = 100;

/// Header phase of an incoming HTTP request.
pub const HTTP_HEADER_MS_MAX: u64 = 10_000;
/// A media socket that has not sent its start message by then is closed.
pub const MEDIA_START_MS_MAX: u64 = 10_000;
/// A platform that was asked to close a media socket has done it by then.
pub const MEDIA_LEAVE_MS_MAX: u64 = 2_000;
/// A media socket that has been quiet for this long is taken for dead.
pub const MEDIA_SILENT_MS_MAX: u64 = 15_000;
/// A started call whose media never came is closed.
pub const STREAM_TOKEN_MS_MAX: u64 = 60_000;
/// Sessions over WebRTC at once, at one node.
pub const WEBRTC_SESSIONS_MAX: usize = 1_024;
/// The body of an offer or of a fragment with addresses.
pub const WEBRTC_OFFER_BYTES_MAX: usize = 32 * 1024;
/// Media sections of an offer: audio and the data channel, and some that are turned down.
pub const WEBRTC_SECTIONS_MAX: usize = 4;
/// Addresses that one peer may name after its offer.
pub const WEBRTC_CANDIDATES_MAX: usize = 32;
/// A session whose peer has not connected by then is closed.
pub const WEBRTC_CONNECT_MS_MAX: u64 = 15_000;
/// Audio that waits to be sent to one peer; twice what the call host keeps ahead at most.
pub const WEBRTC_PLAYOUT_FRAMES_MAX: usize = (2 * PLAYOUT_LOOKAHEAD_MS_MAX / FRAME_MS) as usize;
/// After an interruption by the page, how long audio of the cut-off answer is dropped while the host's `clear` is on its way.
pub const WEBRTC_INTERRUPT_MS_MAX: u64 = 1_000;
/// The most that a page or the network may claim to delay playout.
pub const WEBRTC_DELAY_MS_MAX: u64 = 1_000;
/// A peer that is connected and has sent no audio for this long is not silent but gone.
pub const WEBRTC_GAP_MS_MAX: u64 = 5_000;
/// Text messages that wait for one peer; more closes its session.
pub const WEBRTC_TEXTS_MAX: usize = 256;
/// Text messages of one peer that wait for the call host, beside a second of frames.
pub const WEBRTC_TEXTS_IN_MAX: usize = 64;
/// Between the last message to a peer and the end of its session.
pub const WEBRTC_CLOSE_MS: u64 = 300;
/// Loss and round trip are looked at this often.
pub const WEBRTC_STATS_MS: u64 = 2_000;
/// One datagram; more than any network carries in one piece.
pub const WEBRTC_DATAGRAM_BYTES_MAX: usize = 2_048;
/// Datagrams that wait for one session; what comes on top is lost, as networks lose.
pub const WEBRTC_DATAGRAMS_MAX: usize = 128;
/// What sessions tell the task that reads the socket.
pub const WEBRTC_ROUTES_MAX: usize = 256;
/// A session that has heard nothing authentic for this long may lose its address to another one that has.
pub const WEBRTC_ADDRESS_HELD_MS: u64 = 2_000;
/// Requests about one session that wait for it.
pub const WEBRTC_REQUESTS_MAX: usize = 8;
/// A session answers a request about it within this.
pub const WEBRTC_REQUEST_MS_MAX: u64 = 2_000;
/// One write to a peer that does not read.
pub const SOCKET_WRITE_MS_MAX: u64 = 5_000;
/// Simultaneous connections of the HTTP server.
pub const HTTP_CONNECTIONS_MAX: usize = 4_096;

/// Opening a connection to a provider.
pub const CONNECT_MS_MAX: u64 = 2_000;
/// A connection to a brain is opened ahead when none was used for this long; kept ones live longer.
pub const WARM_EVERY_MS: u64 = 20_000;
/// A conversation with a voice that was opened ahead waits this long for its utterance. Vendors close idle ones after 10 s
/// or more.
pub const TTS_SPARE_MS_MAX: u64 = 8_000;
/// A brain may be asked several times for one answer; one conversation opened ahead serves them all.
pub const TTS_SPARE_EVERY_MS: u64 = 2_000;
/// Conversations with one voice service that were opened ahead, at once.
pub const TTS_SPARES_MAX: usize = 16;
/// First token of a generation.
pub const LLM_FIRST_TOKEN_MS_MAX: u64 = 1_500;
/// A model on this machine rephrases a passage within this, counted from the request, or the passage is spoken as it stands:
/// just before [`LLM_FIRST_TOKEN_MS_MAX`] has passed.
pub const PHRASING_MS_MAX: u64 = LLM_FIRST_TOKEN_MS_MAX - 100;
/// An answer without a word for this long is asked of the next brain too.
pub const HEDGE_LLM_MS: u64 = 700;
/// A segment without audio for this long is given to the next voice too.
pub const HEDGE_TTS_MS: u64 = 450;
/// A recognition stream that is not open after this is opened at the next recogniser too.
pub const HEDGE_STT_MS: u64 = 500;
/// A final transcript that was asked for and has not come after this is asked of the next recogniser.
pub const HEDGE_STT_FINAL_MS: u64 = 450;
/// The same for a recogniser of whole utterances, which begins to read when all is said, as long as nobody knows how fast it
/// usually is; and the most that any recogniser is waited for where somebody else could be asked.
pub const HEDGE_STT_FINAL_WHOLE_MS: u64 = 1_200;
/// A recogniser that tells words as they are spoken and has told none of a speaking caller for this long is replaced.
pub const HEDGE_STT_WORDS_MS: u64 = 2_000;
/// Second opinions that one stage may ask for in one call because the first was late; each is paid for.
pub const HEDGES_PER_CALL_MAX: u32 = 10;
/// What the second opinions of one call may cost, in millionths of a dollar, or a tenth of what the call has cost, whichever is
/// more.
pub const HEDGE_COST_USD_MICROS_MAX: i64 = 20_000;
/// Failures in a row after which a provider is passed over by all calls of a node.
pub const BREAKER_FAILURES_MAX: u32 = 3;
/// Outcomes within [`HEALTH_WINDOW_MS`] of which every second may be a failure.
pub const BREAKER_WINDOW_MIN: usize = 6;
/// For this long a provider that failed is passed over; doubles with each trial that fails.
pub const BREAKER_PAUSE_MS: u64 = 2_500;
/// The longest pause that we impose ourselves. A `Retry-After` may be longer.
pub const BREAKER_PAUSE_MS_MAX: u64 = 20_000;
/// A trial that is not over by then has failed.
pub const TRIAL_MS_MAX: u64 = 6_000;
/// Outcomes older than this say nothing about a provider any more.
pub const HEALTH_WINDOW_MS: u64 = 30_000;
/// Latencies older than this say nothing about a provider any more.
pub const HEALTH_LATENCY_MS: u64 = 300_000;
/// Outcomes and latencies remembered of one provider.
pub const HEALTH_SAMPLES_MAX: usize = 64;
/// Providers, models and accounts whose health one node remembers.
pub const HEALTH_LANES_MAX: usize = 1_024;
/// First pause before the only provider of a stage is asked again; doubles.
pub const RETRY_PAUSE_MS: u64 = 100;
/// Time that an attempt needs to be worth while; one that would begin later is not made.
pub const RETRY_ROOM_MS: u64 = 400;
/// Decisions about providers that one call writes into its journal.
pub const ROUTE_EVENTS_PER_CALL_MAX: u32 = 200;
/// Caller audio kept for a recogniser that takes over.
pub const STT_REPLAY_MS_MAX: u64 = 15_000;
/// Quiet after which a recogniser is exchanged on an operator's wish, even if it may still have something to tell.
pub const STT_SWITCH_QUIET_MS: u64 = 1_500;
/// How often in a row all recognisers are tried before the stream has failed.
pub const STT_ROUNDS_MAX: u32 = 3;
/// Pause before all recognisers are tried again; doubles.
pub const STT_ROUND_PAUSE_MS: u64 = 250;
/// Text of one utterance that waits for the first voice that speaks.
pub const TTS_SEGMENTS_KEPT_MAX: usize = 64;
/// Between two pieces of an answer whose first words are spoken already.
pub const LLM_PAUSE_MS_MAX: u64 = 1_000;
/// Between two chunks of audio, when what came before them is nearly played.
pub const TTS_GAP_MS_MAX: u64 = 700;
/// Synthesised audio that must lie ahead of the listener; with less of it, a gap counts.
pub const TTS_AHEAD_MS_MIN: u64 = 400;
/// Between two tokens of a generation.
pub const LLM_STALL_MS_MAX: u64 = 2_500;
/// First audio of a segment.
pub const TTS_FIRST_AUDIO_MS_MAX: u64 = 1_000;
/// First audio of an utterance for the call, over all voices that were tried; fillers are heard meanwhile.
pub const VOICE_FIRST_AUDIO_MS_MAX: u64 = 2_500;
/// One generation, whole.
pub const LLM_GENERATION_MS_MAX: u64 = 60_000;
/// Events of one generation that wait for the call.
pub const LLM_EVENTS_MAX: usize = 32;
/// Events of one utterance that wait for the call; few, so that a call that does not read holds the provider back.
pub const TTS_EVENTS_MAX: usize = 4;
/// Requests of one conversation that are under way at once: while one answer is read, the next is fetched.
pub const HTTP_REQUESTS_AT_ONCE_MAX: usize = 2;
/// Requests of one conversation that wait for their turn.
pub const HTTP_REQUESTS_WAITING_MAX: usize = TTS_SEGMENTS_MAX;
/// Pieces of an answer that wait to be read.
pub const HTTP_PIECES_AHEAD_MAX: usize = 16;
/// Messages of one gRPC call that wait for the connection.
pub const GRPC_MESSAGES_AHEAD_MAX: usize = 16;
/// Calls that share one HTTP/2 connection; services allow about a hundred.
pub const GRPC_CALLS_PER_CONNECTION_MAX: usize = 50;
/// A connection with calls and without traffic is asked this often whether it lives; asking more often counts as abuse.
pub const GRPC_PING_MS: u64 = 30_000;
/// A connection that does not answer that within this is dead.
pub const GRPC_PONG_MS_MAX: u64 = 2_000;
/// The head of an answer, or between two pieces of its body. What a call waits for has its own, shorter deadline.
pub const HTTP_ANSWER_MS_MAX: u64 = 10_000;
/// Caller audio that is kept while one recognition stream gives its last words and the next one opens.
pub const STT_HANDOVER_MS_MAX: u64 = 3_000;
/// One write to a provider. Its buffers hold seconds of audio, so a write that waits means a provider that is gone.
pub const PROVIDER_WRITE_MS_MAX: u64 = 500;
/// A recognition stream that died while nobody spoke is opened again unnoticed, but not more often than this.
pub const STT_RECONNECT_MS_MIN: u64 = 60_000;
/// Final transcript after the end of speech.
pub const STT_FINAL_MS_MAX: u64 = 1_500;
/// One request for embeddings.
pub const EMBED_MS_MAX: u64 = 10_000;
/// Texts that one caller may have embedded at once.
pub const EMBED_TEXTS_MAX: usize = 4_096;
/// A question that a caller asked, embedded by the service of the documents: a caller waits, and the model of this machine is there.
pub const EMBED_QUESTION_MS_MAX: u64 = 500;
/// After a service failed to embed a question in time, the model of this machine is asked alone for so long.
pub const EMBED_PAUSE_MS: u64 = 5_000;
/// Times that all documents are looked through for passages without new vectors: some may have come meanwhile.
pub const EMBED_PASSES_MAX: u32 = 3;
/// Characters of a text that count when it is embedded.
pub const EMBED_TEXT_CHARS_MAX: usize = 8_000;
/// Finding out what a turn of a caller means to somebody, beside the conversation.
pub const UNDERSTANDING_MS_MAX: u64 = 3_000;
/// Turns whose meaning is found out at once.
pub const UNDERSTANDING_AT_ONCE_MAX: usize = 8;
/// What agents were taught is looked up again after this time.
pub const LESSON_MS_MAX: u64 = 10_000;
/// Agents whose lessons are kept in memory.
pub const LESSONS_LOADED_MAX: usize = 512;
/// Turns of one call whose meaning is read back.
pub const UNDERSTOOD_TURNS_MAX: usize = 500;
/// One search in a vector store elsewhere: a caller waits, and the own index is there.
pub const VECTOR_SEARCH_MS_MAX: u64 = 250;
/// After a vector store failed, the own index is asked alone for so long.
pub const VECTOR_PAUSE_MS: u64 = 5_000;
/// One write to a vector store elsewhere.
pub const VECTOR_WRITE_MS_MAX: u64 = 20_000;
/// Requests that one thing asked of a vector store may take.
pub const VECTOR_STEPS_MAX: usize = 64;
/// One request to a service that reads texts.
pub const TEXT_MS_MAX: u64 = 4_000;
/// Characters of what a customer said that are read when the call is over: what services take at once.
pub const READING_CHARS_MAX: usize = 5_000;
/// Things that are noted of those that a customer named.
pub const READING_ENTITIES_MAX: usize = 50;
/// Reading one call that is over, all of it.
pub const READING_MS_MAX: u64 = 15_000;
/// Calls of a node that are read at once.
pub const READINGS_MAX: usize = 8;
/// Texts that one caller may have read at once.
pub const TEXT_ITEMS_MAX: usize = 1_024;
/// Audio of an answer that a model speaks itself and that was not played yet; more of it calls the answer off.
pub const REALTIME_AUDIO_MS_MAX: u64 = 60_000;
/// Commands of one call that wait for its conversation with such a model.
pub const REALTIME_COMMANDS_MAX: usize = 32;
/// One database statement.
pub const STATEMENT_MS_MAX: u64 = 2_000;
/// Waiting for a database connection.
pub const POOL_WAIT_MS_MAX: u64 = 1_000;
/// Connections of one node to a PostgreSQL server, unless configured otherwise.
pub const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// A connection to PostgreSQL that nobody uses is closed after this.
pub const POSTGRES_IDLE_MS_MAX: u64 = 600_000;
/// A connection to PostgreSQL is replaced after this, so that a server that was added gets its share.
pub const POSTGRES_CONNECTION_MS_MAX: u64 = 1_800_000;
/// A node that starts waits for its PostgreSQL server.
pub const POSTGRES_START_MS_MAX: u64 = 30_000;
/// A replica answers a list within this, or the primary does.
pub const REPLICA_MS_MAX: u64 = 700;
/// A replica that did not answer is left alone for this long.
pub const REPLICA_AWAY_MS: u64 = 5_000;
/// Months for which partitions of a database are made ahead.
pub const PARTITIONS_AHEAD_MONTHS: u32 = 3;
/// Statements that a database connection keeps prepared.
pub const STATEMENTS_PREPARED_MAX: usize = 512;
/// All migrations of a database, or waiting for another node that runs them.
pub const MIGRATION_MS_MAX: u64 = 3_600_000;
/// A driver closes its vendor connection within this after a cancel, or is aborted.
pub const CANCEL_MS_MAX: u64 = 500;
/// A provider control request (dial, hang-up).
pub const CARRIER_REQUEST_MS_MAX: u64 = 5_000;
/// Between two attempts at a request that a platform needs to get.
pub const CARRIER_AGAIN_MS: u64 = 300;

/// Text of one caller turn; more is cut and journaled as cut.
pub const CALLER_TURN_CHARS_MAX: usize = 4_000;
/// Text of one generation; more cancels it.
pub const GENERATION_CHARS_MAX: usize = 8_000;
/// Tool calls within one turn, so that a model cannot loop.
pub const TOOL_CALLS_PER_TURN_MAX: u32 = 4;
/// Bytes of one tool's result that reach a model.
pub const TOOL_RESULT_CHARS_MAX: usize = 4_000;
/// Tokens of context given to a brain unless the agent says otherwise.
pub const CONTEXT_TOKENS_MAX: usize = 3_000;
/// The body of an answer that refuses a request or an upgrade; the rest is not read.
pub const REFUSAL_BODY_BYTES_MAX: usize = 16 * 1024;
/// Waiting for the body of a refusal: it is only there to say why.
pub const REFUSAL_BODY_MS_MAX: u64 = 500;
/// Idle connections kept per provider for its next request.
pub const IDLE_CONNECTIONS_MAX: usize = 16;
/// How long an idle connection is kept for the next request.
pub const IDLE_CONNECTION_MS_MAX: u64 = 60_000;
/// Events that one provider message may yield.
pub const EVENTS_PER_MESSAGE_MAX: usize = 64;
/// Longest call unless the agent says otherwise.
pub const CALL_MS_MAX: u64 = 30 * 60 * 1_000;
/// Longest recording held open per call, per side (8 kHz, 30 minutes).
pub const RECORDING_MS_MAX: u64 = CALL_MS_MAX;
/// Calls of one node unless configured.
pub const CALLS_PER_NODE_MAX: usize = 200;
/// A node whose tasks usually run later than this takes no more calls, and places none from half of it on.
pub const LATE_MS_MAX: u64 = 60;
/// Fewer calls than this are not what makes a machine late.
pub const LATE_CALLS_MIN: usize = 10;
/// A node takes no more calls while, of a hundred of them, so many were woken a frame too late for their audio in the last
/// second.
pub const PACERS_LATE_PERCENT_MAX: usize = 50;
/// A node takes no more calls once its worker threads would be busy for more of their time than this.
pub const WORKERS_PERCENT_MAX: u64 = 80;
/// Thousandths of a core that a call is taken to need before that is calibrated.
pub const CALL_MILLICORES: u64 = 6;
/// Finding out what a call needs of this machine ends after this, whatever is known then.
pub const CALIBRATION_MS_MAX: u64 = 60;
/// The last lines of a node, in percent, are for businesses that have less than their share.
pub const SHARED_LINES_PERCENT: usize = 10;
/// A business that got no line counts as wanting one for this long.
pub const LINE_WANTED_MS: u64 = 60_000;

/// Audio that should be playing but makes no progress.
pub const PLAYOUT_STALL_MS_MAX: u64 = 2_500;
/// The audio path is gone and may come back.
pub const MEDIA_GRACE_MS_MAX: u64 = 10_000;
/// Whoever has put us on hold comes back within this.
pub const HOLD_MS_MAX: u64 = 600_000;
/// Last words, from the decision to end until the line is cut.
pub const LAST_WORDS_MS_MAX: u64 = 20_000;
/// Waiting for a hand-over to a person to be carried out or refused.
pub const TRANSFER_MS_MAX: u64 = 30_000;
/// Between two keys of one number that a caller types on the phone.
pub const DTMF_PAUSE_MS_MAX: u64 = 2_000;
/// Between two keys of a number that was asked for: people read it from a card.
pub const DTMF_ASKED_PAUSE_MS_MAX: u64 = 5_000;
/// Keys of one number that a caller types on the phone.
pub const DTMF_DIGITS_MAX: usize = 64;
/// Audio of one utterance that a recogniser of whole utterances is sent; of more, the oldest gives way.
pub const STT_UTTERANCE_MS_MAX: u64 = 30_000;
/// Audio kept from before the voice was noticed, for a recogniser of whole utterances.
pub const STT_PREROLL_MS: u64 = 600;
/// Bytes of an answer of such a recogniser.
pub const STT_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Recognition streams opened in a row without a word from any of them.
pub const STT_REOPENS_MAX: u32 = 3;
/// Characters of one spoken segment.
pub const SEGMENT_CHARS_MAX: usize = 240;
/// Answers of brains that one node keeps.
pub const ANSWERS_MAX: usize = 2_000;
/// Bytes of these answers.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Characters of one answer that is kept.
pub const ANSWER_KEPT_CHARS_MAX: usize = 1_200;
/// How long an answer is given again.
pub const ANSWER_KEPT_MS_MAX: u64 = 900_000;
/// Finding out what a question means, before the brain is asked after all.
pub const MEANING_MS_MAX: u64 = 150;
/// Tokens of one answer when a budget is nearly used up.
pub const SHORT_ANSWER_TOKENS_MAX: u32 = 90;
/// Tokens of one answer: what is spoken must be short.
pub const ANSWER_TOKENS_MAX: u32 = 300;
/// Calls whose words are deleted in one go, once the time for which they are kept is over.
pub const CALLS_FORGOTTEN_PER_SWEEP_MAX: usize = 5_000;
/// Lines of one conversation kept in memory; the journal keeps all.
pub const DIALOG_LINES_MAX: usize = 400;
/// Pages of a vendor's list of voices that are asked for.
pub const VOICE_PAGES_MAX: usize = 50;
/// One page of a vendor's list of voices.
pub const VOICES_MS_MAX: u64 = 15_000;
/// Sending recordings to a vendor and getting a cloned voice.
pub const VOICE_CLONE_MS_MAX: u64 = 120_000;
/// Tools of one agent.
pub const AGENT_TOOLS_MAX: usize = 64;
/// Bytes of one answer of an MCP server.
pub const MCP_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Tools that one MCP server may list.
pub const MCP_TOOLS_MAX: usize = 200;
/// For an MCP server to greet, list its tools, or do what it was asked outside a call.
pub const MCP_MS_MAX: u64 = 10_000;
/// Characters of a ticket's text.
pub const TICKET_CHARS_MAX: usize = 4_000;
/// Bytes of one attribute or note of a customer.
pub const CUSTOMER_TEXT_CHARS_MAX: usize = 4_000;
/// Attributes, or tags, of one customer.
pub const CUSTOMER_FACTS_MAX: usize = 50;
/// Lines that a simulated caller says in one test call.
pub const TEST_CALL_LINES_MAX: usize = 20;
/// Test calls at once, of one node.
pub const TEST_CALLS_MAX: usize = 4;
/// Span of time in which conversations are searched for words when nobody says another.
pub const SEARCH_SPAN_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// Bytes of one document of a business.
pub const KNOWLEDGE_FILE_BYTES_MAX: usize = 50 * 1024 * 1024;
/// What one archive of a document unpacks to.
pub const KNOWLEDGE_UNPACKED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Files within one archive of a document.
pub const KNOWLEDGE_ARCHIVE_ENTRIES_MAX: usize = 10_000;
/// Pages of one PDF.
pub const KNOWLEDGE_PAGES_MAX: u32 = 3_000;
/// Rows of one table.
pub const KNOWLEDGE_TABLE_ROWS_MAX: usize = 50_000;
/// What a parser says about one document: its text with structure.
pub const KNOWLEDGE_TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Reading one document.
pub const KNOWLEDGE_PARSE_MS_MAX: u64 = 60_000;
/// Memory of the process that reads one document.
pub const KNOWLEDGE_PARSE_MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Documents read at once by one node.
pub const KNOWLEDGE_PARSERS_MAX: usize = 2;
/// Longest recording of a call that is heard for what it teaches.
pub const KNOWLEDGE_RECORDING_MS_MAX: u64 = 60 * 60 * 1_000;
/// What the process that decodes a recording says: two sides of that length, 16 kHz, 16 bits.
pub const KNOWLEDGE_RECORDING_BYTES_MAX: usize = 2 * 2 * 16 * KNOWLEDGE_RECORDING_MS_MAX as usize + 64;
/// Recordings heard at once by one node: each lies in memory as samples meanwhile.
pub const KNOWLEDGE_RECORDINGS_AT_ONCE_MAX: usize = 1;
/// Speech that is recognised at a time, so that calls get their turn with the model in between.
pub const KNOWLEDGE_RECORDING_PIECE_MS_MAX: u32 = 12_000;
/// Transcripts of heard calls that are kept of one business; of more, the oldest give way.
pub const HEARD_CALLS_MAX: usize = 500;
/// Questions with answers that one heard call proposes.
pub const PROPOSALS_PER_CALL_MAX: usize = 50;
/// Questions with answers that are decided on in one request.
pub const PROPOSALS_AT_ONCE_MAX: usize = 50;
/// Chunks of one document.
pub const KNOWLEDGE_CHUNKS_MAX: usize = 20_000;
/// Pages of a PDF of which there are pictures only: each takes about a second of one core to read.
pub const KNOWLEDGE_SCANNED_PAGES_MAX: usize = 30;
/// Tokens of one chunk, about.
pub const KNOWLEDGE_CHUNK_TOKENS_MAX: usize = 160;
/// Tokens of the end of a chunk that begin the next one of the same section, about.
pub const KNOWLEDGE_OVERLAP_TOKENS_MAX: usize = 32;
/// Tokens below which a chunk is joined with its neighbour, about.
pub const KNOWLEDGE_CHUNK_TOKENS_MIN: usize = 10;
/// Chunks of a base that are all looked at for a question; in a larger one a graph leads to those that are near.
pub const KNOWLEDGE_EXACT_CHUNKS_MAX: usize = 20_000;
/// Documents of one business.
pub const KNOWLEDGE_DOCUMENTS_MAX: usize = 5_000;
/// Businesses whose documents one node keeps in memory.
pub const KNOWLEDGE_BUSINESSES_LOADED_MAX: usize = 256;
/// Bytes of the documents that one node keeps in memory.
pub const KNOWLEDGE_BYTES_LOADED_MAX: usize = 512 * 1024 * 1024;
/// Businesses whose documents are loaded before the first call; of the others, when somebody asks.
pub const KNOWLEDGE_BUSINESSES_WARMED_MAX: usize = 16;
/// Documents of a business that nobody asked for this long leave the memory.
pub const KNOWLEDGE_IDLE_MS_MAX: u64 = 900_000;
/// A node looks this often whether the documents of a business in use have changed.
pub const KNOWLEDGE_REVISION_MS: u64 = 2_000;
/// Chunks written by one statement's transaction.
pub const KNOWLEDGE_CHUNKS_PER_WRITE: usize = 64;
/// Entities of one business that its documents name.
pub const GRAPH_ENTITIES_MAX: usize = 10_000;
/// Entities that one document names.
pub const GRAPH_ENTITIES_PER_DOCUMENT_MAX: usize = 1_000;
/// Relations that one document says.
pub const GRAPH_RELATIONS_PER_DOCUMENT_MAX: usize = 3_000;
/// Relations of one business that are looked at.
pub const GRAPH_RELATIONS_MAX: usize = 50_000;
/// Entities of one picture of the graph.
pub const GRAPH_NODES_MAX: u32 = 500;
/// Questions without an answer that are kept of one business; of more, the oldest give way.
pub const KNOWLEDGE_GAPS_MAX: usize = 5_000;
/// Uploads of documents that one node takes in at once; each is in memory until it is stored.
pub const KNOWLEDGE_UPLOADS_MAX: usize = 4;
/// Bytes of one upload of documents.
pub const KNOWLEDGE_UPLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files of one upload of documents.
pub const KNOWLEDGE_UPLOAD_FILES_MAX: usize = 20;
/// An upload of documents has come by then.
pub const KNOWLEDGE_UPLOAD_MS_MAX: u64 = 300_000;
/// Bytes of a request with a text, or with questions and answers.
pub const KNOWLEDGE_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Questions with their answers of one request.
pub const KNOWLEDGE_PAIRS_MAX: usize = 1_000;
/// Jobs about documents that one node does at once.
pub const KNOWLEDGE_WORKS_AT_ONCE_MAX: usize = 2;
/// Jobs about documents that are remembered of a business.
pub const KNOWLEDGE_WORKS_MAX: usize = 500;
/// How far a job about documents is, is written down this often.
pub const KNOWLEDGE_PROGRESS_MS: u64 = 500;
/// Sites of a business whose pages are documents.
pub const KNOWLEDGE_SITES_MAX: u32 = 50;
/// Questions of which a business knows the answer.
pub const KNOWLEDGE_QUESTIONS_MAX: usize = 2_000;
/// Questions of one request.
pub const KNOWLEDGE_QUESTIONS_AT_ONCE_MAX: usize = 500;
/// Evaluations that are remembered of a business.
pub const KNOWLEDGE_REPORTS_MAX: usize = 100;
/// Intents of an agent.
pub const INTENTS_MAX: usize = 200;
/// Examples of one intent.
pub const INTENT_EXAMPLES_MAX: usize = 500;
/// Examples of all intents of an agent.
pub const LESSON_EXAMPLES_MAX: usize = 10_000;
/// Kinds of things that customers name, of an agent.
pub const ENTITY_TYPES_MAX: usize = 100;
/// Values of one kind of thing.
pub const ENTITY_VALUES_MAX: usize = 1_000;
/// Other words for one value.
pub const ENTITY_SYNONYMS_MAX: usize = 50;
/// Versions of what an agent has learned that are kept.
pub const TRAININGS_MAX: u32 = 20;
/// Questions that went wrong that an evaluation shows.
pub const KNOWLEDGE_MISSES_MAX: usize = 200;
/// Pages of one site.
pub const CRAWL_PAGES_MAX: usize = 500;
/// Links from the first page of a site.
pub const CRAWL_DEPTH_MAX: u32 = 5;
/// Redirects of one page.
pub const CRAWL_REDIRECTS_MAX: u32 = 3;
/// One page of a site.
pub const CRAWL_PAGE_MS_MAX: u64 = 15_000;
/// Addresses that wait to be visited.
pub const CRAWL_QUEUE_MAX: usize = 10_000;
/// The longest pause between two pages that a site can ask for.
pub const CRAWL_PAUSE_MS_MAX: u64 = 5_000;
/// Site maps of one site, those within others included.
pub const CRAWL_SITEMAPS_MAX: usize = 20;
/// One request to what nodes share. Longer, and the node's own memory answers.
pub const SHARED_MS_MAX: u64 = 250;
/// Opening a connection to what nodes share.
pub const SHARED_CONNECT_MS_MAX: u64 = 1_000;
/// While what nodes share is away, it is asked this often whether it is back.
pub const SHARED_PROBE_MS: u64 = 250;
/// A connection that listens is asked this often whether it lives.
pub const SHARED_PING_MS: u64 = 2_000;
/// Messages of one channel that wait for one listener; a slower one is told that it missed some.
pub const SHARED_MESSAGES_MAX: usize = 256;
/// Channels that one node listens to.
pub const SHARED_CHANNELS_MAX: usize = 10_000;
/// Wishes to listen that wait for the connection.
pub const SHARED_WISHES_MAX: usize = 256;
/// Entries that a node keeps in its own memory instead.
pub const SHARED_ENTRIES_MAX: usize = 100_000;
/// Bytes of a key or of the name of a channel.
pub const SHARED_KEY_BYTES_MAX: usize = 256;
/// Bytes of a value or a message.
pub const SHARED_VALUE_BYTES_MAX: usize = 256 * 1024;

/// Storage of objects answers within this: the head of an object, a part of one, a deletion.
pub const OBJECT_MS_MAX: u64 = 20_000;
/// Part of an object that is sent at once; smaller objects go in one request. Services want at least 5 MiB.
pub const OBJECT_PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one object that are on their way at once.
pub const OBJECT_PARTS_MAX: usize = 2;
/// Requests to storage are repeated for this long before they have failed.
pub const OBJECT_RETRY_MS_MAX: u64 = 10_000;
/// Bytes of one object.
pub const OBJECT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Recordings that could not be brought to storage are tried again this often.
pub const SPOOL_SWEEP_MS: u64 = 60_000;

/// A node is there for this long after it last said so.
pub const NODE_LEASE_MS: u64 = 8_000;
/// A node says that it is there this often.
pub const NODE_BEAT_MS: u64 = 2_000;
/// A node of which nothing is left is remembered for this long, for people who look.
pub const NODE_REMEMBERED_MS: u64 = 24 * 60 * 60 * 1_000;
/// Another node answers within this; a caller may be waiting.
pub const PEER_MS_MAX: u64 = 1_000;
/// Another node gives a call up within this: it writes the call's journal first.
pub const PEER_YIELD_MS_MAX: u64 = 3_000;
/// Another node dials within this.
pub const PEER_DIAL_MS_MAX: u64 = CARRIER_REQUEST_MS_MAX + STATEMENT_MS_MAX;
/// A request between nodes is this old at most, by their clocks.
pub const PEER_AGE_MS_MAX: i64 = 60_000;
/// Links to one call that hold at the same time.
pub const CALL_SHARES_MAX: u32 = 20;
/// A link to a call leads nowhere after this, at the latest.
pub const CALL_SHARE_MS_MAX: i64 = 90 * 24 * 60 * 60 * 1_000;
/// Characters of the note on a call.
pub const CALL_NOTE_CHARS_MAX: usize = 4_000;
/// Signatures of requests between nodes that are remembered, so that none counts twice.
pub const PEER_SIGNATURES_MAX: usize = 20_000;
/// For another node to take a call that this one has no room for; the platform waits meanwhile.
pub const PEER_TAKE_MS_MAX: u64 = 2_500;
/// Body of a request between nodes.
pub const PEER_BODY_BYTES_MAX: usize = 64 * 1024;
/// A node that is watched says at least this often that it is there.
pub const PEER_WATCH_ALIVE_MS: u64 = 3_000;
/// Before a node stops, calls that another one can go on with are handed over this early.
pub const HAND_OVER_MS: u64 = 5_000;
/// Turns of a live call that a snapshot shows, the last ones.
pub const SNAPSHOT_TURNS_MAX: usize = 10;
/// Live calls that a snapshot shows.
pub const SNAPSHOT_CALLS_MAX: usize = 1_000;
/// Events are kept for this long; who comes later takes a snapshot.
pub const EVENTS_KEPT_MS: u64 = 3 * 24 * 60 * 60 * 1_000;
/// Events of one business that are kept, however young.
pub const EVENTS_KEPT_MAX: u64 = 1_000_000;
/// Without a hint that there are new ones, events are looked for this often while somebody listens.
pub const EVENTS_POLL_MS: u64 = 2_000;
/// Events that listeners of one business can be behind before they read from the database.
pub const EVENTS_AHEAD_MAX: usize = 256;
/// Hints about new events that wait for one listener; more makes it look at everything.
pub const EVENT_HINTS_MAX: usize = 1_024;
/// Events that wait for one connection.
pub const EVENTS_PER_CONNECTION_MAX: usize = 64;
/// Connections of one business that follow its events, on one node.
pub const EVENT_STREAMS_PER_BUSINESS_MAX: usize = 100;
/// Connections that follow events, on one node.
pub const EVENT_STREAMS_MAX: usize = 2_000;
/// A connection without an event is told this often that it lives.
pub const EVENTS_KEEP_ALIVE_MS: u64 = 15_000;
/// A socket from which nothing came for this long, not even an answer to a ping, is taken for dead.
pub const EVENTS_SILENT_MS_MAX: u64 = 60_000;
/// One message from a listener on an event socket.
pub const EVENTS_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Jobs that one node works on at once.
pub const JOBS_AT_ONCE_MAX: usize = 16;
/// Jobs that are claimed in one go.
pub const JOBS_CLAIMED_MAX: u32 = 16;
/// A job whose worker has not said for this long that it lives is given to another one.
pub const JOB_LEASE_MS: u64 = 60_000;
/// Without a hint that there are new ones, jobs are looked for this often.
pub const JOBS_POLL_MS: u64 = 1_000;
/// Attempts at a job unless it says otherwise; then it is a dead letter.
pub const JOB_ATTEMPTS_MAX: u32 = 8;
/// First pause before a job that failed is tried again; doubles up to [`JOB_RETRY_MS_MAX`].
pub const JOB_RETRY_MS: u64 = 1_000;
/// Longest pause before a job that failed is tried again.
pub const JOB_RETRY_MS_MAX: u64 = 15 * 60 * 1_000;
/// Bytes of what a job is told.
pub const JOB_PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Characters of why a job failed that are kept.
pub const JOB_ERROR_CHARS_MAX: usize = 500;
/// Dead letters are kept for this long.
pub const JOBS_DEAD_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Entries of the calendar are looked through this often.
pub const CRON_TICK_MS: u64 = 15_000;
/// Characters of a text with which a voice is heard before it is chosen.
pub const PREVIEW_CHARS_MAX: usize = 200;
/// For a voice to say it, whole.
pub const PREVIEW_MS_MAX: u64 = 20_000;
/// Seconds of sound that such a text can be.
pub const PREVIEW_SECS_MAX: usize = 60;
/// Previews that one node makes at once.
pub const PREVIEWS_AT_ONCE_MAX: usize = 4;
/// Bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 256 * 1024;
/// Until a mail server has greeted us, TLS and all.
pub const MAIL_CONNECT_MS_MAX: u64 = 15_000;
/// For a mail server to answer one command. RFC 5321, 4.5.3.2 allows minutes; who needs them is asked again later.
pub const MAIL_STEP_MS_MAX: u64 = 30_000;
/// For a mail server to take a whole mail and say so.
pub const MAIL_CONTENT_MS_MAX: u64 = 120_000;
/// Mails that one node hands over at once.
pub const MAILS_AT_ONCE_MAX: usize = 4;
/// Attempts at a mail, some three hours in all: servers that do not know us yet let us wait.
pub const MAIL_ATTEMPTS_MAX: u32 = 20;
/// Characters of a mail's text.
pub const MAIL_CHARS_MAX: usize = 20_000;
/// Characters of a mail's subject.
pub const MAIL_SUBJECT_CHARS_MAX: usize = 200;
/// Owners of a business who are told by mail that its plan is used up.
pub const ALERT_MAILS_MAX: usize = 20;
/// Webhook endpoints of a business whose plan does not say how many.
pub const WEBHOOKS_PER_BUSINESS_MAX: u32 = 50;
/// One attempt to deliver a message, whole.
pub const WEBHOOK_MS_MAX: u64 = 15_000;
/// What of an endpoint's answer is read and kept.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 2 * 1024;
/// Endpoints with new events are looked for this often without a hint.
pub const WEBHOOKS_POLL_MS: u64 = 5_000;
/// Deliveries and their attempts are kept for this long.
pub const DELIVERIES_KEPT_MS: u64 = 14 * 24 * 60 * 60 * 1_000;
/// Bytes of the address of a webhook endpoint.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2 * 1024;
/// Deliveries that one replay makes.
pub const REPLAY_DELIVERIES_MAX: usize = 1_000;
/// Steps of one clean-up.
pub const PRUNE_STEPS_MAX: u32 = 50;
/// Rows that one step of a clean-up deletes.
pub const PRUNE_ROWS_MAX: u32 = 1_000;
/// A call without an end that began longer ago does not count as going on.
pub const OPEN_CALL_MS_MAX: u64 = 4 * 60 * 60 * 1_000;
/// The longest pause that an endpoint's `Retry-After` can impose.
pub const WEBHOOK_RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1_000;
/// Deliveries that one node makes at once, and as many again of those that have failed before.
pub const WEBHOOKS_AT_ONCE_MAX: usize = 16;
/// Listening for hints of other nodes is begun again after this.
pub const EVENT_HINTS_RETRY_MS: u64 = 5_000;

/// The file of the configuration and what is set in the database are looked at this often.
pub const CONFIG_LOOK_MS: u64 = 2_000;
/// Passwords that are hashed or checked at once: each costs 20 ms of a core and 19 MiB.
pub const PASSWORDS_AT_ONCE_MAX: usize = 2;
/// Passwords that wait for that or are in work.
pub const PASSWORDS_WAITING_MAX: usize = 64;
/// Waiting for that.
pub const PASSWORD_WAIT_MS_MAX: u64 = 5_000;
/// Characters of a new password, at least.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Bytes of a password, at most.
pub const PASSWORD_BYTES_MAX: usize = 512;
/// An access token holds for this long.
pub const ACCESS_TOKEN_MS: i64 = 10 * 60 * 1_000;
/// A session ends after this, however busy it is.
pub const SESSION_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1_000;
/// An invitation holds for this long.
pub const INVITATION_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// A password reset holds for this long.
pub const PASSWORD_RESET_MS: i64 = 60 * 60 * 1_000;
/// The secret before a rotated one opens for at most this long.
pub const KEY_OVERLAP_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Attempts to sign in are counted over this time.
pub const ATTEMPT_WINDOW_MS: u64 = 15 * 60 * 1_000;
/// Attempts on one account in that time before pauses begin.
pub const ATTEMPTS_PER_ACCOUNT_FREE: u64 = 5;
/// Attempts from one address in that time before pauses begin.
pub const ATTEMPTS_PER_ADDRESS_FREE: u64 = 60;
/// The longest pause between attempts.
pub const ATTEMPT_PAUSE_MS_MAX: u64 = 15 * 60 * 1_000;
/// Recovery codes of one person.
pub const RECOVERY_CODES: usize = 10;
/// Networks in the address list of one business.
pub const NETWORKS_MAX: usize = 100;
/// One request to an identity provider.
pub const IDENTITY_PROVIDER_MS_MAX: u64 = 5_000;
/// What an identity provider says about itself is believed for this long.
pub const IDENTITY_PROVIDER_KEPT_MS: u64 = 60 * 60 * 1_000;
/// A signature by a key that is not known asks for the keys anew, but not more often than this.
pub const IDENTITY_KEYS_MS_MIN: u64 = 60 * 1_000;
/// Identity providers that one node remembers.
pub const IDENTITY_PROVIDERS_KEPT_MAX: usize = 1_000;
/// Signing in at an identity provider takes a person at most this long.
pub const IDENTITY_SIGN_IN_MS_MAX: i64 = 10 * 60 * 1_000;

/// How often businesses that were registered meanwhile get the plan of who has chosen none.
pub const PLAN_LOOK_MS: u64 = 30_000;
/// Looking whether a domain holds the proof that it is a business's.
pub const DOMAIN_PROOF_MS_MAX: u64 = 10_000;
/// Nodes of a flow.
pub const FLOW_NODES_MAX: usize = 200;
/// Characters of a text in a flow, before variables are filled in.
pub const FLOW_TEXT_CHARS_MAX: usize = 1_000;
/// Steps that one call goes through a flow; then the conversation goes on freely.
pub const FLOW_STEPS_MAX: u32 = 1_000;
/// Calls that were placed and whose two ids a platform's file keeps.
pub const PLACED_CALLS_KNOWN_MAX: usize = 10_000;
/// For how long nobody may say or press anything at a menu, at least.
pub const MENU_SILENCE_MS_MIN: u64 = 2_000;
/// The same, at most.
pub const MENU_SILENCE_MS_MAX: u64 = 30_000;
/// Characters of the value of a variable.
pub const FLOW_VALUE_CHARS_MAX: usize = 1_000;
/// Widgets of a business.
pub const WIDGETS_PER_BUSINESS_MAX: u32 = 50;
/// Websites that one widget may stand on.
pub const WIDGET_ORIGINS_MAX: usize = 50;
/// Longest text of a widget's settings.
pub const WIDGET_TEXT_CHARS_MAX: usize = 1_000;
/// How long a visitor's token opens the line of one conversation.
pub const VISIT_MS_MAX: i64 = 2 * 60 * 60 * 1_000;
/// Conversations that one address may begin in a minute, over all widgets.
pub const VISITS_PER_ADDRESS_MINUTE_MAX: u64 = 20;
/// Conversations that a widget may begin in a minute at most, whatever its settings say.
pub const VISITS_PER_MINUTE_MAX: u32 = 1_000;
/// How long a written conversation waits for a visitor whose page is gone.
pub const VISITOR_AWAY_MS_MAX: u64 = 3 * 60 * 1_000;
/// Silence after which a visitor who writes is asked, and again before the conversation ends.
pub const VISITOR_IDLE_MS: u64 = 5 * 60 * 1_000;
/// Messages that a visitor may type at once; one more every [`VISITOR_TYPES_EVERY_MS`].
pub const VISITOR_TYPED_MAX: u32 = 10;
/// How often one more message is taken of a visitor who has typed as many as may be at once.
pub const VISITOR_TYPES_EVERY_MS: u64 = 1_000;
/// Messages of a conversation that a visitor's page is given again.
pub const VISIT_MESSAGES_MAX: usize = 400;

// SIP trunks (`sip`).
/// Messages between a leg of a trunk and the call host, either way.
pub const SIP_LINE_MESSAGES_MAX: usize = AUDIO_IN_FRAMES_MAX * 2;
/// Wishes of its owner that wait for a call over a trunk, and what its leg tells it.
pub const SIP_ORDERS_MAX: usize = 16;
/// Packets of all calls on their way to their traces: a second of about forty calls.
pub const SIP_TRACE_PACKETS_AHEAD_MAX: usize = 4_096;
/// Bytes of a call's trace: about fifty minutes of G.711, both ways.
pub const SIP_TRACE_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Bytes of messages that find room behind that.
pub const SIP_TRACE_SIGNALLING_BYTES: u64 = 256 * 1_024;
/// How long a trace is kept after its call.
pub const SIP_TRACE_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Traces that one sweep removes.
pub const SIP_TRACES_PER_SWEEP_MAX: usize = 10_000;
/// Audio that a leg takes ahead of the moment when it is played; more waits with the call host.
pub const SIP_PLAYOUT_AHEAD_MS_MAX: u64 = 1_200;
/// A leg whose other side should send and does not for this long is taken for dead.
pub const SIP_RTP_SILENT_MS_MAX: u64 = 60_000;
/// The owner of an endpoint answers within this; the caller hears ringing meanwhile.
pub const SIP_FRONT_MS_MAX: u64 = 10_000;
/// A transfer by the other side is decided within this: a little before the call stops waiting for it.
pub const SIP_TRANSFER_MS_MAX: u64 = TRANSFER_MS_MAX - 1_000;
/// A request within a call is answered within this.
pub const SIP_REQUEST_MS_MAX: u64 = 32_000;
/// A trunk that is asked whether it is there answers within this: three repetitions over datagrams.
pub const SIP_PROBE_MS_MAX: u64 = 4_000;
/// Headers of a call that the owner is shown.
pub const SIP_HEADERS_SHOWN_MAX: usize = 32;
/// Bytes of one of them.
pub const SIP_HEADER_BYTES_MAX: usize = 512;
/// WebSocket connections at once; another one is closed.
pub const SIP_WEBSOCKETS_MAX: usize = 1_024;
/// Messages that wait for a peer of one of them to read.
pub const SIP_WEBSOCKET_MESSAGES_AHEAD_MAX: usize = 64;
/// A challenge to prove who one is lasts this long.
pub const SIP_NONCE_SECS_MAX: u64 = 60;
