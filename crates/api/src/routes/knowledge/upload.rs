//! Documents on their way in: files, texts, questions with their answers.

use super::{JobView, accepted, documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, Params};
use crate::problem::Problem;
use crate::routes::check_text;
use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use base::limits;
use runtime::documents::recordings::AgentSide;
use runtime::documents::{Content, Given};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

const TITLE_CHARS_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 1_000_000;
pub(super) const QUESTION_CHARS_MAX: usize = 500;
pub(super) const ANSWER_CHARS_MAX: usize = 5_000;

/// Files to take in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form")]
pub(crate) struct UploadForm {
    /// One file or several, each with its name.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1, max_items = 20)]
    file: Vec<Vec<u8>>,
    /// Title as people see it, for one file; the document's own when left out.
    #[schema(required = false, max_length = 200)]
    title: String,
}

/// What the file is called, when the body is the file itself.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadQuery {
    /// Name of the file, when the body is the file itself.
    #[param(min_length = 1, max_length = 200, example = "prices.pdf")]
    name: Option<String>,
    /// Title as people see it; the document's own when left out.
    #[param(max_length = 200)]
    title: Option<String>,
    /// Of a recorded call with two channels: on which of them the business speaks, `left` or `right`; `right` when left out.
    #[serde(default)]
    #[param(inline)]
    agent: Side,
}

/// A channel of a recording.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = RecordingSide)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// The first one.
    Left,
    /// The second one.
    #[default]
    Right,
}

impl From<Side> for AgentSide {
    fn from(side: Side) -> Self {
        match side {
            Side::Left => Self::Left,
            Side::Right => Self::Right,
        }
    }
}

/// Takes files in: a form with parts named `file`, or the bytes of one file with `name` in the query. The same name again is the
/// document's next version. What each file is is decided by its content. A recorded call is heard, and what it teaches is
/// proposed to people; it is no document itself.
#[utoipa::path(post, path = "/api/v1/knowledge/documents", tag = "knowledge", operation_id = "upload_documents", params(UploadQuery),
    request_body(content((UploadForm = "multipart/form-data"), (Vec<u8> = "application/octet-stream"))),
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "They are being taken in; `Location` says how far it is", body = JobView),
    (status = 413, description = "A file of more than 50 MiB, or more than 64 MiB in all", body = Problem),
    (status = 503, description = "As many uploads as may be are coming in, or the node has no models", body = Problem)
))]
pub(crate) async fn upload(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Params(query): Params<UploadQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let documents = documents(&app)?;
    let _room = documents.room().ok_or_else(|| Problem::unavailable("as many uploads as may be are coming in"))?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
    let agent = query.agent.into();
    let mut given = if is_form { form(&app, request).await? } else { vec![file(&app, request, query).await?] };
    given.iter_mut().for_each(|one| one.agent = agent);
    documents.take(&caller.scope, given).await.map(accepted).map_err(problem)
}

async fn form(app: &App, request: Request) -> Result<Vec<Given>, Problem> {
    let form = Multipart::from_request(request, app).await;
    let mut form = form.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let (mut given, mut title) = (Vec::new(), None);
    while let Some(part) = form.next_field().await.map_err(|error| not_read(&error))? {
        match part.name() {
            Some("file") if given.len() == limits::KNOWLEDGE_UPLOAD_FILES_MAX => {
                let most = limits::KNOWLEDGE_UPLOAD_FILES_MAX;
                return Err(Problem::invalid(format!("file: at most {most} at once")));
            }
            Some("file") => given.push(part_file(part).await?),
            Some("title") => title = Some(part.text().await.map_err(|error| not_read(&error))?),
            _ => return Err(Problem::invalid("the form has parts `file` and `title` and no others")),
        }
    }
    let title = title.filter(|title| !title.trim().is_empty());
    match (given.as_mut_slice(), title) {
        ([], _) => return Err(Problem::invalid("file: it is missing")),
        ([one], Some(title)) => one.title = Some(checked_title(title)?),
        (_, Some(_)) => return Err(Problem::invalid("title: several files cannot have the same")),
        (_, None) => {}
    }
    Ok(given)
}

async fn part_file(part: Field<'_>) -> Result<Given, Problem> {
    let name = part.file_name().map(str::to_owned).ok_or_else(|| Problem::invalid("file: it has no name"))?;
    let name = checked_name("file", &name)?;
    let bytes = part.bytes().await.map_err(|error| not_read(&error))?;
    Ok(Given {
        document: name.clone(),
        name,
        title: None,
        content: Content::File(bytes.to_vec()),
        agent: AgentSide::default(),
    })
}

async fn file(app: &App, request: Request, query: UploadQuery) -> Result<Given, Problem> {
    let name = query.name.ok_or_else(|| Problem::invalid("name: a file that is the whole body needs one"))?;
    let name = checked_name("name", &name)?;
    let bytes = Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid("the body could not be read to its end"),
    })?;
    let title = query.title.filter(|title| !title.trim().is_empty()).map(checked_title).transpose()?;
    if bytes.len() > limits::KNOWLEDGE_FILE_BYTES_MAX {
        return Err(Problem::too_large());
    }
    Ok(Given {
        document: name.clone(),
        name,
        title,
        content: Content::File(bytes.to_vec()),
        agent: AgentSide::default(),
    })
}

fn not_read(error: &MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid(error.body_text()),
    }
}

/// The last part of a path: browsers of old send whole ones.
fn checked_name(field: &str, name: &str) -> Result<String, Problem> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
    check_text(field, name, 1, NAME_CHARS_MAX)?;
    if name.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("{field}: it holds control characters")));
    }
    Ok(name.to_owned())
}

fn checked_title(title: String) -> Result<String, Problem> {
    check_text("title", &title, 1, TITLE_CHARS_MAX)?;
    if title.chars().any(char::is_control) {
        return Err(Problem::invalid("title: it holds control characters"));
    }
    Ok(title)
}

/// A text to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeText)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextBody {
    /// What the document is called; the same again is its next version.
    #[schema(min_length = 1, max_length = 200, example = "Opening hours")]
    name: String,
    /// Title as people see it; the name when left out.
    #[schema(max_length = 200)]
    title: Option<String>,
    /// Markdown, or plain text.
    #[schema(min_length = 1, max_length = 1000000)]
    text: String,
}

/// Takes a text in.
#[utoipa::path(post, path = "/api/v1/knowledge/texts", tag = "knowledge", operation_id = "add_text", request_body = TextBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "It is being taken in; `Location` says how far it is", body = JobView)
))]
pub(crate) async fn text(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<TextBody>,
) -> Result<Response, Problem> {
    let name = checked_name("name", &body.name)?;
    check_text("text", &body.text, 1, TEXT_CHARS_MAX)?;
    let title = body.title.map_or_else(|| Ok(name.clone()), checked_title)?;
    let content = Content::File(body.text.into_bytes());
    let given = Given {
        document: name.clone(),
        name: format!("{name}.md"),
        title: Some(title),
        content,
        agent: AgentSide::default(),
    };
    documents(&app)?.take(&caller.scope, vec![given]).await.map(accepted).map_err(problem)
}

/// Questions with their answers to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgePairs)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairsBody {
    /// What the document is called; the same again is its next version.
    #[schema(min_length = 1, max_length = 200, example = "Frequent questions")]
    name: String,
    /// Title as people see it; the name when left out.
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(min_items = 1, max_items = 1000)]
    pairs: Vec<Pair>,
}

/// A question with its answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = QuestionAnswer)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pair {
    #[schema(min_length = 1, max_length = 500, example = "Do you ship to Norway?")]
    question: String,
    #[schema(min_length = 1, max_length = 5000, example = "Yes, within five days.")]
    answer: String,
}

/// Takes questions with their answers in.
#[utoipa::path(post, path = "/api/v1/knowledge/pairs", tag = "knowledge", operation_id = "add_pairs", request_body = PairsBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "They are being taken in; `Location` says how far it is", body = JobView)
))]
pub(crate) async fn pairs(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<PairsBody>,
) -> Result<Response, Problem> {
    let name = checked_name("name", &body.name)?;
    let title = body.title.map_or_else(|| Ok(name.clone()), checked_title)?;
    if !(1..=limits::KNOWLEDGE_PAIRS_MAX).contains(&body.pairs.len()) {
        return Err(Problem::invalid(format!("pairs: 1 to {} are needed", limits::KNOWLEDGE_PAIRS_MAX)));
    }
    for (index, pair) in body.pairs.iter().enumerate() {
        check_text(&format!("pairs.{index}.question"), pair.question.trim(), 1, QUESTION_CHARS_MAX)?;
        check_text(&format!("pairs.{index}.answer"), pair.answer.trim(), 1, ANSWER_CHARS_MAX)?;
    }
    let pairs = body.pairs.into_iter().map(|pair| (pair.question, pair.answer)).collect();
    let given = Given {
        document: name.clone(),
        name,
        title: Some(title),
        content: Content::Pairs(pairs),
        agent: AgentSide::default(),
    };
    documents(&app)?.take(&caller.scope, vec![given]).await.map(accepted).map_err(problem)
}
