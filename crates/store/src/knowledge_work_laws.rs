//! What every store must obey about the work on what businesses know.

use crate::contract::{NewJob, Store};
use crate::error::StoreError;
use crate::knowledge_work::{
    Fate, KnowledgeReport, KnownQuestion, Site, Work, WorkDocument, WorkKind, WorkProgress, WorkState,
};
use crate::laws::tenant;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

fn work(at_ms: i64) -> Work {
    Work {
        id: Uuid::now_v7(),
        kind: WorkKind::Documents,
        state: WorkState::Queued,
        source: "prices.pdf".into(),
        progress: WorkProgress { total: 1, documents: vec![WorkDocument::waiting("prices.pdf")], ..Default::default() },
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        finished_at_ms: None,
    }
}

fn site(url: &str, next_at_ms: Option<i64>) -> Site {
    Site {
        id: Uuid::now_v7(),
        url: url.into(),
        pages_max: 10,
        depth_max: 2,
        every_hours: Some(24),
        next_at_ms,
        last_work: None,
        created_at_ms: 1,
        updated_at_ms: 1,
    }
}

/// Law.
pub async fn work_on_documents_is_kept_with_its_job_or_not_at_all(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let first = work(10);
    let job = NewJob { unique: Some("site 1".into()), ..NewJob::now("knowledge.work", json!({"work": first.id}), 10) };
    store.begin_work(&shop, &first, &job).await.expect("begun");
    let second = work(20);
    let refused = store.begin_work(&shop, &second, &job).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert!(matches!(store.work(&shop, second.id).await, Err(StoreError::NotFound(_))), "neither of both is kept");
    assert_eq!(store.work(&shop, first.id).await, Ok(first.clone()));
    assert!(matches!(store.work(&rival, first.id).await, Err(StoreError::NotFound(_))));
    let claimed = store.claim("knowledge.work", 5, 1_000, 20).await.expect("jobs");
    assert_eq!(claimed.iter().map(|job| job.payload.clone()).collect::<Vec<_>>(), [json!({"work": first.id})]);
    store.begin_work(&shop, &second, &NewJob { unique: None, ..job }).await.expect("begun");
    let page = store.works(&shop, None, 1).await.expect("a page");
    assert_eq!((page.rows[0].id, page.next.is_some()), (second.id, true));
    let rest = store.works(&shop, page.next, 1).await.expect("the rest");
    assert_eq!((rest.rows[0].id, rest.next), (first.id, None));
    assert!(store.works(&rival, None, 10).await.expect("a page").rows.is_empty());
}

/// Law.
pub async fn what_is_over_of_work_stays_as_it_is(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let mut one = work(10);
    store.begin_work(&shop, &one, &NewJob::now("knowledge.work", json!({}), 10)).await.expect("begun");
    one.state = WorkState::Running;
    one.progress.documents[0].fate = Fate::Ready;
    one.updated_at_ms = 20;
    assert_eq!(store.update_work(&rival, &one).await, Ok(false), "it is not theirs");
    assert_eq!(store.update_work(&shop, &one).await, Ok(true));
    one.state = WorkState::Done;
    one.finished_at_ms = Some(30);
    assert_eq!(store.update_work(&shop, &one).await, Ok(true));
    assert_eq!(store.work(&shop, one.id).await, Ok(one.clone()));
    let late = Work { state: WorkState::Failed, ..one.clone() };
    assert_eq!(store.update_work(&shop, &late).await, Ok(false));
    assert_eq!(store.work(&shop, one.id).await, Ok(one));
}

/// Law.
pub async fn a_site_is_due_when_its_time_has_come(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let (daily, never) = (site("https://a.example/", Some(100)), site("https://b.example/", None));
    store.add_site(&shop, &daily).await.expect("kept");
    store.add_site(&shop, &never).await.expect("kept");
    let twice = store.add_site(&shop, &site("https://a.example/", None)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    let theirs = site("https://a.example/", Some(50));
    store.add_site(&rival, &theirs).await.expect("another business may read the same site");
    assert_eq!(store.due_sites(99).await, Ok(vec![(rival, theirs.clone())]));
    let due = store.due_sites(100).await.expect("sites");
    assert_eq!(due, [(rival, theirs.clone()), (shop, daily.clone())]);

    let visit = Uuid::now_v7();
    assert_eq!(store.visited(&rival, daily.id, visit, None).await, Ok(false));
    assert_eq!(store.visited(&shop, daily.id, visit, Some(200)).await, Ok(true));
    let known = store.site(&shop, daily.id).await.expect("it is there");
    assert_eq!((known.last_work, known.next_at_ms), (Some(visit), Some(200)));
    let clash = Site { url: "https://b.example/".into(), ..known.clone() };
    assert!(matches!(store.change_site(&shop, &clash).await, Err(StoreError::Conflict(_))));
    let changed = Site { pages_max: 20, every_hours: None, next_at_ms: None, ..known };
    store.change_site(&shop, &changed).await.expect("changed");
    assert_eq!(store.site(&shop, daily.id).await, Ok(changed.clone()));
    assert!(matches!(store.change_site(&rival, &changed).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.sites(&shop).await.expect("sites").len(), 2);
    assert_eq!(store.delete_site(&rival, daily.id).await, Ok(false));
    assert_eq!(store.delete_site(&shop, daily.id).await, Ok(true));
    assert_eq!(store.sites(&shop).await, Ok(vec![never]));
}

/// Law.
pub async fn questions_and_reports_belong_to_one_business(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let question = |text: &str, at_ms: i64| KnownQuestion {
        id: Uuid::now_v7(),
        question: text.into(),
        expected: Some("Hours".into()),
        origin: "typed".into(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    };
    let (open, boats) = (question("when are you open", 1), question("do you sell boats", 2));
    store.add_questions(&shop, &[open.clone(), boats.clone()]).await.expect("kept");
    let too_many: Vec<KnownQuestion> =
        (0..base::limits::KNOWLEDGE_QUESTIONS_MAX as i64 - 1).map(|at| question("again", at)).collect();
    assert!(matches!(store.add_questions(&shop, &too_many).await, Err(StoreError::Conflict(_))));
    let page = store.questions(&shop, None, 1).await.expect("a page");
    assert_eq!(page.rows, std::slice::from_ref(&boats));
    assert_eq!(store.questions(&shop, page.next, 1).await.expect("a page").rows, std::slice::from_ref(&open));
    assert!(store.questions(&rival, None, 10).await.expect("a page").rows.is_empty());
    let declined = KnownQuestion { expected: None, updated_at_ms: 9, ..boats.clone() };
    assert!(matches!(store.change_question(&rival, &declined).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.change_question(&shop, &declined).await, Ok(declined));
    assert_eq!(store.delete_question(&rival, boats.id).await, Ok(false));
    assert_eq!(store.delete_question(&shop, boats.id).await, Ok(true));

    let reports: Vec<KnowledgeReport> = (0..base::limits::KNOWLEDGE_REPORTS_MAX as i64 + 5)
        .map(|at_ms| KnowledgeReport { id: Uuid::now_v7(), at_ms, report: json!({"passages": at_ms}) })
        .collect();
    for report in &reports {
        store.add_report(&shop, report).await.expect("kept");
    }
    let newest = reports.last().expect("one");
    assert_eq!(store.report(&shop, newest.id).await.as_ref(), Ok(newest));
    assert!(matches!(store.report(&rival, newest.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.report(&shop, reports[0].id).await, Err(StoreError::NotFound(_))), "the oldest go");
    assert_eq!(store.reports(&shop, None, 3).await.expect("a page").rows[0], *newest);
}
