//! Work on what businesses know: jobs with their progress, sites, questions with known answers, reports.

use super::jobs;
use crate::args;
use crate::contract::{Answer, Cursor, NewJob, Page};
use crate::db::{Args, Db, DbRow, PAGE, Reach, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::knowledge_work::{KnowledgeReport, KnowledgeWork, KnownQuestion, Site, Work};
use crate::sql::{self, Sql};
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, limits};
use model::business::TenantScope;
use uuid::Uuid;

/// Whoever keeps the calendar visits the sites of all businesses.
const CALENDAR: Reach = Db::across("the calendar visits the sites of all businesses");

fn read_work(row: &DbRow) -> Answer<Work> {
    Ok(Work {
        id: row.get("id")?,
        kind: row.word("kind")?,
        state: row.word("state")?,
        source: row.get("source")?,
        progress: row.json("progress")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
        finished_at_ms: row.get("finished_at_ms")?,
    })
}

fn read_site(row: &DbRow) -> Answer<Site> {
    Ok(Site {
        id: row.get("id")?,
        url: row.get("url")?,
        pages_max: row.get("pages_max")?,
        depth_max: row.get("depth_max")?,
        every_hours: row.get("every_hours")?,
        next_at_ms: row.get("next_at_ms")?,
        last_work: row.get("last_work")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

fn read_question(row: &DbRow) -> Answer<KnownQuestion> {
    Ok(KnownQuestion {
        id: row.get("id")?,
        question: row.get("question")?,
        expected: row.get("expected")?,
        origin: row.get("origin")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

fn read_report(row: &DbRow) -> Answer<KnowledgeReport> {
    Ok(KnowledgeReport { id: row.get("id")?, at_ms: row.get("at_ms")?, report: row.json("report")? })
}

impl SqlStore {
    /// One page of a list that is ordered newest first.
    pub(super) async fn newest<T>(
        &self,
        scope: &TenantScope,
        statement: Sql,
        after: Option<Cursor>,
        rows_max: u32,
        read: fn(&DbRow) -> Answer<T>,
        place: fn(&T) -> Cursor,
    ) -> Answer<Page<T>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args: Args<'_> = args![scope.business.0, after.at_ms, after.id, rows_max + 1];
        page_of(&self.db.read(scope, statement, args).await?, rows_max, read, place)
    }
}

/// The page that rows make of which one more was asked for than fits.
pub(super) fn page_of<T>(
    rows: &[DbRow],
    rows_max: u32,
    read: fn(&DbRow) -> Answer<T>,
    place: fn(&T) -> Cursor,
) -> Answer<Page<T>> {
    let mut rows = rows.iter().map(read).collect::<Answer<Vec<T>>>()?;
    let more = rows.len() > rows_max as usize;
    rows.truncate(rows_max as usize);
    let next = rows.last().filter(|_| more).map(place);
    Ok(Page { rows, next })
}

#[async_trait]
impl KnowledgeWork for SqlStore {
    async fn begin_work(&self, scope: &TenantScope, work: &Work, job: &NewJob) -> Answer<()> {
        let business = scope.business.0;
        let progress = to_json(&work.progress)?;
        let mut tx = self.db.begin(scope).await?;
        let job = NewJob { business: Some(scope.business), ..job.clone() };
        if jobs::insert(&mut tx, &job, work.created_at_ms).await?.is_none() {
            return Err(StoreError::Conflict("the same is being done already".into()));
        }
        let args = args![
            work.id,
            business,
            work.kind.name(),
            work.state.name(),
            &work.source,
            progress,
            work.created_at_ms,
            work.updated_at_ms,
            work.finished_at_ms
        ];
        tx.write(sql::INSERT_KNOWLEDGE_WORK, args).await?;
        tx.write(sql::PRUNE_KNOWLEDGE_WORKS, args![business, to_i64(limits::KNOWLEDGE_WORKS_MAX as u64)?]).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(())
    }

    async fn update_work(&self, scope: &TenantScope, work: &Work) -> Answer<bool> {
        let progress = to_json(&work.progress)?;
        let (business, state) = (scope.business.0, work.state.name());
        let args = args![business, work.id, state, progress, work.updated_at_ms, work.finished_at_ms];
        Ok(self.db.write(scope, sql::UPDATE_KNOWLEDGE_WORK, args).await? > 0)
    }

    async fn work(&self, scope: &TenantScope, id: Uuid) -> Answer<Work> {
        read_work(&self.need(scope, "work", sql::KNOWLEDGE_WORK, args![scope.business.0, id]).await?)
    }

    async fn works(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<Work>> {
        let place = |work: &Work| Cursor { at_ms: work.created_at_ms, id: work.id };
        self.newest(scope, sql::KNOWLEDGE_WORKS, after, rows_max, read_work, place).await
    }

    async fn add_site(&self, scope: &TenantScope, site: &Site) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let counted = tx.read_one(sql::COUNT_KNOWLEDGE_SITES, args![business]).await?;
        if counted.ok_or(missing("sites"))?.get::<u32>("count")? >= limits::KNOWLEDGE_SITES_MAX {
            return Err(StoreError::Conflict(format!("a business has at most {} sites", limits::KNOWLEDGE_SITES_MAX)));
        }
        let args = args![
            site.id,
            business,
            &site.url,
            site.pages_max,
            site.depth_max,
            site.every_hours,
            site.next_at_ms,
            site.last_work,
            site.created_at_ms,
            site.updated_at_ms
        ];
        if tx.write(sql::INSERT_KNOWLEDGE_SITE, args).await? == 0 {
            return Err(StoreError::Conflict("the business has a site of this address".into()));
        }
        tx.commit().await
    }

    async fn change_site(&self, scope: &TenantScope, site: &Site) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        // Before anything else: of a site of another business nothing is told.
        tx.read_one(sql::KNOWLEDGE_SITE, args![business, site.id]).await?.ok_or(missing("site"))?;
        if tx.read_one(sql::OTHER_KNOWLEDGE_SITE, args![business, &site.url, site.id]).await?.is_some() {
            return Err(StoreError::Conflict("the business has a site of this address".into()));
        }
        let args = args![
            business,
            site.id,
            &site.url,
            site.pages_max,
            site.depth_max,
            site.every_hours,
            site.next_at_ms,
            site.updated_at_ms
        ];
        tx.write(sql::UPDATE_KNOWLEDGE_SITE, args).await?;
        tx.commit().await
    }

    async fn visited(&self, scope: &TenantScope, site: Uuid, work: Uuid, next_at_ms: Option<i64>) -> Answer<bool> {
        let args = args![scope.business.0, site, work, next_at_ms];
        Ok(self.db.write(scope, sql::VISIT_KNOWLEDGE_SITE, args).await? > 0)
    }

    async fn site(&self, scope: &TenantScope, id: Uuid) -> Answer<Site> {
        read_site(&self.need(scope, "site", sql::KNOWLEDGE_SITE, args![scope.business.0, id]).await?)
    }

    async fn sites(&self, scope: &TenantScope) -> Answer<Vec<Site>> {
        self.db.read(scope, sql::KNOWLEDGE_SITES, args![scope.business.0, PAGE]).await?.iter().map(read_site).collect()
    }

    async fn delete_site(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        Ok(self.db.write(scope, sql::DELETE_KNOWLEDGE_SITE, args![scope.business.0, id]).await? > 0)
    }

    async fn due_sites(&self, now_ms: i64) -> Answer<Vec<(TenantScope, Site)>> {
        let rows = self.db.read(CALENDAR, sql::DUE_KNOWLEDGE_SITES, args![now_ms, PAGE]).await?;
        let read = |row: &DbRow| Ok((TenantScope { business: BusinessId(row.get("business")?) }, read_site(row)?));
        rows.iter().map(read).collect()
    }

    async fn add_questions(&self, scope: &TenantScope, questions: &[KnownQuestion]) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let counted = tx.read_one(sql::COUNT_KNOWLEDGE_QUESTIONS, args![business]).await?;
        let count: u32 = counted.ok_or(missing("questions"))?.get("count")?;
        if count as usize + questions.len() > limits::KNOWLEDGE_QUESTIONS_MAX {
            let most = limits::KNOWLEDGE_QUESTIONS_MAX;
            return Err(StoreError::Conflict(format!("a business has at most {most} questions")));
        }
        let row = |one: &KnownQuestion| {
            args![one.id, business, one.question.clone(), one.expected.clone(), one.origin.clone(), one.created_at_ms]
        };
        tx.write_many(sql::INSERT_KNOWLEDGE_QUESTION, questions.iter().map(row).collect()).await?;
        tx.commit().await
    }

    async fn change_question(&self, scope: &TenantScope, question: &KnownQuestion) -> Answer<KnownQuestion> {
        let KnownQuestion { id, question, expected, updated_at_ms, .. } = question;
        let args = args![scope.business.0, *id, question, expected.as_deref(), *updated_at_ms];
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::UPDATE_KNOWLEDGE_QUESTION, args).await?.ok_or(missing("question"))?;
        let changed = read_question(&row)?;
        tx.commit().await?;
        Ok(changed)
    }

    async fn delete_question(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        Ok(self.db.write(scope, sql::DELETE_KNOWLEDGE_QUESTION, args![scope.business.0, id]).await? > 0)
    }

    async fn questions(
        &self,
        scope: &TenantScope,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<KnownQuestion>> {
        let place = |one: &KnownQuestion| Cursor { at_ms: one.created_at_ms, id: one.id };
        self.newest(scope, sql::KNOWLEDGE_QUESTIONS, after, rows_max, read_question, place).await
    }

    async fn add_report(&self, scope: &TenantScope, report: &KnowledgeReport) -> Answer<()> {
        let business = scope.business.0;
        let text = to_json(&report.report)?;
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::INSERT_KNOWLEDGE_REPORT, args![report.id, business, report.at_ms, text]).await?;
        tx.write(sql::PRUNE_KNOWLEDGE_REPORTS, args![business, to_i64(limits::KNOWLEDGE_REPORTS_MAX as u64)?]).await?;
        tx.commit().await
    }

    async fn report(&self, scope: &TenantScope, id: Uuid) -> Answer<KnowledgeReport> {
        read_report(&self.need(scope, "report", sql::KNOWLEDGE_REPORT, args![scope.business.0, id]).await?)
    }

    async fn reports(
        &self,
        scope: &TenantScope,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<KnowledgeReport>> {
        let place = |one: &KnowledgeReport| Cursor { at_ms: one.at_ms, id: one.id };
        self.newest(scope, sql::KNOWLEDGE_REPORTS, after, rows_max, read_report, place).await
    }
}
