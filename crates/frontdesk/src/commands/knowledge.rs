//! `frontdesk knowledge`: take documents and sites in, ask them, evaluate the answers, list what could not be answered.

mod embedding;
mod recordings;

use crate::cli::environment;
use crate::config::Config;
use crate::on_device::{self, model_dir};
use crate::wiring;
use anyhow::{Context as _, bail};
use base::limits;
use clap::{Args, Subcommand};
use egress::{Egress, EgressConfig, Policy};
use indicatif::{ProgressBar, ProgressStyle};
use knowledge::child::{ChildLimits, Parser, run};
use knowledge::crawl::{CrawlBounds, Crawler, PageOutcome};
use knowledge::evaluation::squad;
use knowledge::gaps::{Asked, clusters};
use knowledge::ingest::{self, Added, Again, Progress, Source, slug};
use knowledge::recording::is_recording;
use local::language::evaluation::{Measured, Question, measure, read_questions};
use local::language::gate::Verdict;
use local::language::knowledge::Made;
use local::language::{Gate, Knowledge, LanguageModels};
use model::business::TenantScope;
use runtime::documents::Web;
use runtime::on_device::{Minds as _, StoredMinds};
use runtime::wall_ms;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use store::knowledge::VersionStatus;

/// How deep folders are read.
const FOLDER_DEPTH_MAX: usize = 8;

#[derive(Debug, Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Take in files, folders, or sites by their address. The same name again is the next version
    Add(AddArgs),
    /// List documents: what serves, and why others do not
    List(OfBusiness),
    /// Ask the documents, and show what is found and what would be said
    Query {
        /// What a customer would ask
        question: String,
        #[command(flatten)]
        of: OfBusiness,
    },
    /// Ask all questions of a file and count: TAB-separated lines (heading or document, or `-` for none; the question), or a
    /// SQuAD 2.0 file, which brings its own documents
    Eval {
        /// The questions
        file: PathBuf,
        /// Ask at most so many questions of a SQuAD file
        #[arg(long, value_name = "N", default_value_t = 3_000)]
        questions_max: usize,
        /// Show every question that went other than it should
        #[arg(long)]
        misses: bool,
        #[command(flatten)]
        of: OfBusiness,
    },
    /// Delete documents with all their versions
    Delete {
        /// Short names, as `list` shows them
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        of: OfBusiness,
    },
    /// Give all passages new vectors, made by the model of now; the old ones serve meanwhile
    ReEmbed(OfBusiness),
    /// Show what embeds the documents, or choose it: all passages get its vectors, and what served before does meanwhile
    Embedding {
        /// `local` for the model of this machine alone, or a service that is listed
        #[arg(value_name = "SERVICE")]
        service: Option<String>,
        #[command(flatten)]
        of: OfBusiness,
    },
    /// List what recorded calls propose: questions with answers that are said only when somebody accepts them
    Proposals(OfBusiness),
    /// Accept what recorded calls propose: each becomes a document
    Accept(Decide),
    /// Reject what recorded calls propose: it is not proposed again
    Reject(Decide),
    /// List what customers asked and no document answered, the most frequent first
    Gaps {
        /// Forget them
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        of: OfBusiness,
    },
}

/// Whose documents.
#[derive(Debug, Args)]
pub(crate) struct OfBusiness {
    /// Short name of the business; that of this installation unless given
    #[arg(long, value_name = "SLUG")]
    business: Option<String>,
}

/// Which proposals.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Ids, or their ends, as `proposals` shows them
    #[arg(required_unless_present = "all", value_name = "ID")]
    ids: Vec<String>,
    /// All that are open
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    of: OfBusiness,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Files, folders, or addresses of sites
    #[arg(required = true, value_name = "FILE|FOLDER|URL")]
    sources: Vec<String>,
    /// In recorded calls with two channels the business speaks on the first one, not on the second
    #[arg(long)]
    agent_left: bool,
    /// Title as people see it; for one file
    #[arg(long)]
    title: Option<String>,
    /// Pages of a site
    #[arg(long, value_name = "N", default_value_t = 100)]
    pages: usize,
    /// Links from the first page of a site; 0 for that page alone
    #[arg(long, value_name = "N", default_value_t = 3)]
    depth: u32,
    /// Pause between two pages of a site, in milliseconds, unless it asks for a longer one
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pause: u64,
    /// The site is one of your own network; without this only public addresses are read
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    of: OfBusiness,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    #[arg(long, default_value = "")]
    name: String,
    #[arg(long, default_value_t = limits::KNOWLEDGE_PARSE_MEMORY_BYTES_MAX)]
    memory_bytes: u64,
    #[arg(long, default_value_t = limits::KNOWLEDGE_PARSE_MS_MAX / 1_000)]
    cpu_s: u64,
}

/// The child that reads one document.
pub(crate) fn read(args: &ReadArgs) -> ExitCode {
    run(&args.name, &ChildLimits { memory_bytes: args.memory_bytes, cpu_s: args.cpu_s })
}

pub(crate) async fn knowledge(config: &Config, command: KnowledgeCommand) -> anyhow::Result<ExitCode> {
    match command {
        KnowledgeCommand::Add(args) => add(config, args).await,
        KnowledgeCommand::List(of) => list(config, &of).await,
        KnowledgeCommand::Query { question, of } => query(config, &of, &question).await,
        KnowledgeCommand::Eval { file, questions_max, misses, of } => {
            eval(config, &of, &file, questions_max, misses).await
        }
        KnowledgeCommand::Delete { names, of } => delete(config, &of, &names).await,
        KnowledgeCommand::ReEmbed(of) => re_embed(config, &of).await,
        KnowledgeCommand::Embedding { service, of } => embedding::embedding(config, &of, service.as_deref()).await,
        KnowledgeCommand::Proposals(of) => recordings::proposals(config, &of).await,
        KnowledgeCommand::Accept(which) => recordings::accept(config, &which).await,
        KnowledgeCommand::Reject(which) => recordings::reject(config, &which).await,
        KnowledgeCommand::Gaps { clear, of } => gaps(config, &of, clear).await,
    }
}

async fn open(config: &Config, of: &OfBusiness) -> anyhow::Result<(Arc<dyn Store>, TenantScope)> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let scope = match &of.business {
        Some(name) => {
            let business = store.business_by_slug(name).await;
            TenantScope { business: business.with_context(|| format!("there is no business {name}"))?.id }
        }
        None => scope,
    };
    Ok((store, scope))
}

async fn models(config: &Config) -> anyhow::Result<Arc<LanguageModels>> {
    let dir = model_dir(&config.models.dir)?;
    let load = move || on_device::language(&dir);
    Ok(Arc::new(tokio::task::spawn_blocking(load).await.context("loading models stopped")??))
}

async fn minds(config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<StoredMinds> {
    let spaces = Arc::new(wiring::spaces(config, &environment, store).await?);
    let minds = StoredMinds::new(Arc::clone(store), models(config).await?, Parser::of_this_program()?);
    Ok(minds.with_spaces(spaces))
}

/// A bar on a terminal, nothing elsewhere.
struct Bar(ProgressBar);

impl Bar {
    fn of(name: &str) -> Self {
        let bar = ProgressBar::new(0).with_message(name.to_owned());
        match ProgressStyle::with_template("  {wide_bar:.cyan} {pos}/{len} {msg}") {
            Ok(style) => Self(bar.with_style(style)),
            Err(_) => Self(bar),
        }
    }
}

impl Progress for Bar {
    fn chunks(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[derive(Default)]
struct Tally {
    taken: usize,
    unchanged: usize,
    refused: usize,
}

impl Tally {
    fn note(&mut self, name: &str, outcome: Result<&Added, String>) {
        match outcome {
            Ok(Added::Unchanged) => {
                self.unchanged += 1;
                println!("{name}: unchanged");
            }
            Ok(Added::Indexed(made)) => {
                self.taken += 1;
                let pages = if made.pages > 0 { format!(", {} pages", made.pages) } else { String::new() };
                let again = if made.reused > 0 { format!(" ({} as before)", made.reused) } else { String::new() };
                let version = made.version.version;
                println!("{name}: {}{pages}, {} chunks{again}, version {version}", made.kind, made.chunks);
            }
            Err(why) => {
                self.refused += 1;
                println!("{name}: NOT TAKEN IN: {why}");
            }
        }
    }

    fn end(&self) -> ExitCode {
        println!("{} taken in, {} unchanged, {} not taken in", self.taken, self.unchanged, self.refused);
        if self.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

async fn add(config: &Config, args: AddArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, &args.of).await?;
    let minds = minds(config, &store).await?;
    let mut tally = Tally::default();
    let mut hearing = recordings::Hearing::new(config, &store, &minds, args.agent_left);
    for source in &args.sources {
        if source.starts_with("https://") || source.starts_with("http://") {
            add_site(store.as_ref(), &minds, &scope, source, &args, &mut tally).await?;
            continue;
        }
        let path = Path::new(source);
        let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
        if files.is_empty() {
            println!("{source}: no files");
        }
        for file in files {
            match read_file(&file) {
                Ok(bytes) if is_recording(&bytes) => hearing.add(&scope, &file, &bytes, &mut tally).await,
                Ok(bytes) => add_file(&minds, &scope, path, (&file, &bytes), args.title.as_deref(), &mut tally).await,
                Err(why) => tally.note(&file.display().to_string(), Err(why)),
            }
        }
    }
    store.close().await;
    Ok(tally.end())
}

async fn add_file(
    minds: &StoredMinds,
    scope: &TenantScope,
    root: &Path,
    (file, bytes): (&Path, &[u8]),
    title: Option<&str>,
    tally: &mut Tally,
) {
    let name = file.display().to_string();
    // A file of a folder is known by its place in it, one that was named by its name.
    let own = file.strip_prefix(root).ok().filter(|own| own.components().next().is_some());
    let own = own.map_or_else(|| ingest::file_name(&name).to_owned(), |own| own.to_string_lossy().replace('/', " "));
    let slug = slug(&own);
    let bar = Bar::of(&slug);
    let source = Source { slug: &slug, title, source: &name, bytes };
    let outcome = minds.ingest().add(scope, &source, wall_ms(), &bar).await;
    drop(bar);
    tally.note(&name, outcome.as_ref().map_err(ToString::to_string));
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let meta = std::fs::metadata(file).map_err(|error| error.to_string())?;
    let max = limits::KNOWLEDGE_FILE_BYTES_MAX as u64;
    if meta.len() > max {
        return Err(format!("the file has {} bytes; at most {max} are taken", meta.len()));
    }
    std::fs::read(file).map_err(|error| error.to_string())
}

/// All files of a folder and those within it, in order; what begins with a dot and links are left out.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("the folder {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() && depth < FOLDER_DEPTH_MAX {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() && files.len() < limits::KNOWLEDGE_DOCUMENTS_MAX {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

async fn add_site(
    store: &dyn Store,
    minds: &StoredMinds,
    scope: &TenantScope,
    start: &str,
    args: &AddArgs,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let policy = if args.internal { Policy::Operator } else { Policy::Tenant };
    let web = Web::new(Arc::new(Egress::new(EgressConfig::new(policy))));
    let parser = Parser::of_this_program()?;
    let crawler = Crawler { store, ingest: minds.ingest(), parser: &parser, fetch: &web };
    let bounds = CrawlBounds { pages_max: args.pages, depth_max: args.depth, pause_ms: args.pause };
    let mut each = |url: &str, outcome: &PageOutcome| match outcome {
        PageOutcome::Taken(added) => tally.note(url, Ok(added)),
        PageOutcome::Gone => println!("{url}: gone; its document is deleted"),
        PageOutcome::Left(why) => tally.note(url, Err(why.clone())),
    };
    let cut = crawler.crawl(scope, start, bounds, wall_ms(), &mut each).await?;
    if cut {
        println!("{start}: there are more than {} pages; see --pages", args.pages);
    }
    Ok(())
}

async fn list(config: &Config, of: &OfBusiness) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    for document in ingest::documents(store.as_ref(), &scope).await? {
        let newest = &document.newest;
        let state = match newest.status {
            VersionStatus::Ready => format!("{} chunks", newest.chunks),
            VersionStatus::Indexing => "being indexed".to_owned(),
            VersionStatus::Replaced => "replaced".to_owned(),
            VersionStatus::Failed => format!("FAILED: {}", newest.error.as_deref().unwrap_or("nobody knows why")),
        };
        let kind = newest.kind.as_deref().unwrap_or("-");
        let serves = if document.serving == 0 { "-".into() } else { format!("v{}", document.serving) };
        println!("{:32} {serves:>4}  {kind:9} {state:14}  {} ({})", document.slug, document.title, document.source);
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn query(config: &Config, of: &OfBusiness, question: &str) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let minds = minds(config, &store).await?;
    let mind = minds.load(scope.business).await.map_err(|why| anyhow::anyhow!(why))?;
    let made = minds.made_for_people(&scope, &mind.brain, vec![question.to_owned()]).await?;
    let (brain, asked) = (Arc::clone(&mind.brain), question.to_owned());
    let found =
        tokio::task::spawn_blocking(move || brain.search_with(&asked, &made)).await.context("the search stopped")??;
    let verdict = match found.verdict {
        Verdict::Answer => "answer",
        Verdict::Closest => "the closest there is",
        Verdict::Decline => "declined",
    };
    println!("{verdict} ({:.2})", found.probability);
    if let Some(passage) = found.passage {
        let page = passage.page.map(|page| format!(", page {page}")).unwrap_or_default();
        println!("  {}\n  [{} / {}{page}]", passage.quote, passage.document, passage.section);
    }
    let sections = mind.brain.sections();
    for hit in &found.hits {
        let section = &sections[hit.section];
        println!(
            "  {:6.2}  meaning {:.2}  reading {:6.2}  {} / {}",
            hit.score, hit.dense, hit.cross, section.document, section.heading
        );
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn eval(config: &Config, of: &OfBusiness, file: &Path, max: usize, misses: bool) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("the questions {}", file.display()))?;
    let measured = if text.trim_start().starts_with('{') {
        let models = models(config).await?;
        let work = move || -> anyhow::Result<Measured> {
            let set = squad(&text, max).context("the file is no SQuAD 2.0")?;
            let index = Knowledge::embed(&models, set.passages, Gate::default())?;
            let questions: Vec<Question> =
                set.questions.into_iter().map(|(section, text)| Question { section, text }).collect();
            Ok(measure(&models, &index, &questions, &Made::default())?)
        };
        tokio::task::spawn_blocking(work).await.context("the evaluation stopped")??
    } else {
        let questions = read_questions(&text);
        if questions.is_empty() {
            bail!("{} holds no question; a line is a heading (or -), a tab, a question", file.display());
        }
        let (store, scope) = open(config, of).await?;
        let minds = minds(config, &store).await?;
        let mind = minds.load(scope.business).await.map_err(|why| anyhow::anyhow!(why))?;
        let texts = questions.iter().map(|one| one.text.clone()).collect();
        let made = minds.made_for_people(&scope, &mind.brain, texts).await?;
        store.close().await;
        let models = Arc::clone(minds.models());
        let work = move || measure(&models, mind.brain.knowledge(), &questions, &made);
        tokio::task::spawn_blocking(work).await.context("the evaluation stopped")??
    };
    print!("{measured}");
    if misses {
        measured.misses.iter().for_each(|miss| println!("  {miss}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn delete(config: &Config, of: &OfBusiness, names: &[String]) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let mut missing = 0;
    for name in names {
        if store.delete_knowledge(&scope, name).await? {
            println!("{name}: deleted");
        } else {
            missing += 1;
            println!("{name}: there is no such document");
        }
    }
    store.scrub().await?;
    store.close().await;
    Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn re_embed(config: &Config, of: &OfBusiness) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let minds = minds(config, &store).await?;
    let mut tally = Tally::default();
    for document in ingest::documents(store.as_ref(), &scope).await? {
        let bar = Bar::of(&document.slug);
        let outcome = minds.ingest().reindex(&scope, &document.slug, &Again::All, wall_ms(), &bar).await;
        drop(bar);
        tally.note(&document.slug, outcome.as_ref().map_err(ToString::to_string));
    }
    store.close().await;
    Ok(tally.end())
}

async fn gaps(config: &Config, of: &OfBusiness, clear: bool) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let (mut kept, mut after) = (Vec::new(), None);
    loop {
        let page = store.gaps(&scope, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(store::Cursor { at_ms: last.asked_at_ms, id: last.id.0 });
        kept.extend(page);
    }
    let asked: Vec<Asked> = kept
        .iter()
        .map(|gap| Asked {
            question: gap.question.expose().clone(),
            at_ms: gap.asked_at_ms,
            vector: gap.vector.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
        })
        .collect();
    for cluster in clusters(&asked) {
        println!("{:5}  {}", cluster.members.len(), cluster.question);
    }
    println!("{} questions without an answer", kept.len());
    if clear {
        let ids: Vec<_> = kept.iter().map(|gap| gap.id).collect();
        for group in ids.chunks(limits::PAGE_ROWS_MAX as usize) {
            store.delete_gaps(&scope, group).await?;
        }
        store.scrub().await?;
        println!("forgotten");
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
