//! Services that read texts: sentiment, entities, personal data, language, translation. One request and its whole answer; what
//! a service can do is said by the features of its descriptor and, with how much at once, by [`TextProtocol::limits`].

use crate::pricing::Unit;
use crate::registry::text_providers;
use base::wire::HttpRequest;
use base::{ErrorClass, Failure, Pii};
use model::routing::Feature;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a service can be asked to do with texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSkill {
    /// How the writer feels.
    Sentiment,
    /// People, places, times and the like.
    Entities,
    /// What says who somebody is, and the text without it.
    PersonalData,
    /// Which language it is.
    Language,
    /// The same in another language.
    Translation,
}

impl TextSkill {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sentiment, Self::Entities, Self::PersonalData, Self::Language, Self::Translation];

    /// What a descriptor says of a service that can do it.
    pub const fn feature(self) -> Feature {
        match self {
            Self::Sentiment => Feature::Sentiment,
            Self::Entities => Feature::Entities,
            Self::PersonalData => Feature::PersonalData,
            Self::Language => Feature::DetectsLanguage,
            Self::Translation => Feature::Translation,
        }
    }
}

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextItem {
    /// The text; not empty.
    pub text: Pii<String>,
    /// Its BCP-47 language, where it is known.
    #[serde(default)]
    pub language: Option<String>,
}

/// What is asked of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRequest {
    /// What to do.
    pub skill: TextSkill,
    /// With which texts.
    pub items: Vec<TextItem>,
    /// BCP-47 language to translate into; needed for that alone.
    #[serde(default)]
    pub target: Option<String>,
}

/// How a writer feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    /// Pleased.
    Positive,
    /// Neither.
    Neutral,
    /// Displeased.
    Negative,
    /// Both, in different sentences.
    Mixed,
}

/// What kind of thing a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A person.
    Person,
    /// A company or another body.
    Organization,
    /// A place.
    Location,
    /// A postal address.
    Address,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A payment card.
    Card,
    /// A bank account.
    Account,
    /// A date or a time.
    Time,
    /// A number of something.
    Quantity,
    /// A number of an official document, an order, a customer.
    Id,
    /// An address on a network.
    Url,
    /// Something else.
    Other,
}

/// Something that a text names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// What the service calls it.
    pub category: String,
    /// Bytes of the text, on boundaries of characters.
    pub range: Range<usize>,
    /// How sure the service is, from 0 to 1.
    pub confidence: f32,
}

/// What a service found out about one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum TextAnswer {
    /// How the writer feels.
    Sentiment {
        /// In a word.
        sentiment: Sentiment,
        /// How pleased, from 0 to 1.
        positive: f32,
        /// How displeased, from 0 to 1.
        negative: f32,
    },
    /// What it names, in the order of the text.
    Entities {
        /// The things.
        entities: Vec<Entity>,
    },
    /// What says who somebody is, in the order of the text.
    PersonalData {
        /// The things.
        entities: Vec<Entity>,
        /// The text with each of them masked.
        masked: String,
    },
    /// Which language it is.
    Language {
        /// BCP-47; `None` when nobody can tell.
        language: Option<String>,
        /// How sure the service is, from 0 to 1.
        confidence: f32,
    },
    /// The same in another language.
    Translation {
        /// The words.
        text: Pii<String>,
        /// BCP-47 language that was translated from, where the service found it out.
        from: Option<String>,
    },
}

/// How much one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// Texts.
    pub items_max: usize,
    /// Characters of one text.
    pub chars_max: usize,
}

/// What came of each text of a request, in their order.
pub type TextAnswers = Vec<Result<TextAnswer, Failure>>;

/// A vendor's text service over one HTTP request. One value per request.
pub trait TextProtocol: Send {
    /// How much one request for this may hold; `None` when the service cannot do it.
    fn limits(&self, skill: TextSkill) -> Option<TextLimits>;
    /// The request, whole. Only for what [`TextProtocol::limits`] allows.
    fn request(&mut self, request: &TextRequest) -> HttpRequest;
    /// Turns the whole body of the answer into one outcome for each text, or says what is wrong with it. A service may
    /// succeed as a whole and fail for single texts.
    fn on_body(&mut self, body: &[u8]) -> Result<TextAnswers, Failure>;
    /// What the request is billed by.
    fn billed(&self, request: &TextRequest) -> (Unit, u64);
    /// Maps an HTTP status and body to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

/// Characters of all texts of a request, by which most services bill.
pub fn chars_of(request: &TextRequest) -> u64 {
    request.items.iter().map(|item| item.text.expose().chars().count() as u64).sum()
}

/// The bytes of these characters of a text; `None` when they are not all there.
fn bytes_of(text: &str, first_char: usize, chars: usize) -> Option<Range<usize>> {
    let places = || text.char_indices().map(|(at, _)| at).chain([text.len()]);
    Some(places().nth(first_char)?..places().nth(first_char.checked_add(chars)?)?)
}

text_providers! { azure_language, azure_translator, google_translate }
