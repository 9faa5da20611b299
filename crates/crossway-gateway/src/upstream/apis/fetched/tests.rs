use http::StatusCode;
use tokio::sync::{mpsc, oneshot};

use super::*;

type Answer = Result<Option<(Bytes, Validators)>, FetchError>;

/// A source whose answers a test gives.
struct Scripted(mpsc::Sender<oneshot::Sender<Answer>>);

impl Source for Scripted {
    async fn get(&self, _: &Fetched, _: &Validators) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.unwrap();
        answered.await.unwrap()
    }
}

/// The requests to a source, and the time of the last one.
struct Asked(mpsc::Receiver<oneshot::Sender<Answer>>, Instant);

impl Asked {
    /// Waits for a request, and answers it. Returns the time since the last one.
    async fn answer(&mut self, answer: Answer) -> Duration {
        let asked = self.0.recv().await.unwrap();
        let after = self.1.elapsed();
        self.1 = Instant::now();
        asked.send(answer).unwrap();
        after
    }

    /// Answers with the document of these operations.
    async fn document(&mut self, operations: &[&str]) -> Duration {
        self.answer(Ok(Some((document(operations), Validators::default())))).await
    }
}

fn scripted() -> (Scripted, Asked) {
    let (sender, receiver) = mpsc::channel(1);
    (Scripted(sender), Asked(receiver, Instant::now()))
}

fn document(operations: &[&str]) -> Bytes {
    let paths = operations.iter().map(|id| format!(r#""/{id}":{{"get":{{"operationId":"{id}"}}}}"#));
    let paths = paths.collect::<Vec<_>>().join(",");
    format!(r#"{{"openapi":"3.1.0","servers":[{{"url":"/"}}],"paths":{{{paths}}}}}"#).into()
}

const REFRESH: Duration = Duration::from_secs(900);

fn fetched(refresh: Duration) -> Arc<Fetched> {
    let url = Url::parse("http://a/openapi.json").unwrap();
    let new =
        Fetched::new(url, ApiOptions::new(), String::new(), Attached::new(), Filled::default(), refresh);
    Arc::new(new.unwrap())
}

fn tools(api: &CurrentApi) -> Vec<String> {
    api.now().tools().map(str::to_owned).collect()
}

/// An API that is there, with what its source is asked from then on.
async fn here(refresh: Duration) -> (Arc<Fetched>, CurrentApi, Asked) {
    let (source, mut asked) = scripted();
    let fetched = fetched(refresh);
    let (api, _) = tokio::join!(fetched.api_of(source), asked.document(&["a"]));
    (fetched, api.unwrap(), asked)
}

#[tokio::test(start_paused = true)]
async fn a_document_is_fetched_again_and_its_tools_are_taken_up() {
    let (fetched, api, mut asked) = here(REFRESH).await;
    assert_eq!(tools(&api), ["a"]);
    assert_eq!(asked.document(&["a", "b"]).await, REFRESH);
    // Either the server or the client notices that nothing has changed.
    assert_eq!(asked.answer(Ok(None)).await, REFRESH);
    assert_eq!(tools(&api), ["a", "b"]);
    assert_eq!(asked.document(&["a", "b"]).await, REFRESH);
    assert_eq!(asked.document(&["c"]).await, REFRESH);
    assert_eq!(asked.answer(Ok(None)).await, REFRESH);
    let (source, _asked) = scripted();
    assert_eq!(tools(&fetched.api_of(source).await.unwrap()), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_had_or_used_changes_nothing_and_is_tried_again_sooner() {
    let (_fetched, api, mut asked) = here(REFRESH).await;
    let gone = || Err(FetchError::Status(StatusCode::BAD_GATEWAY));
    let hostile = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let hostile = || Ok(Some((Bytes::from(hostile.clone()), Validators::default())));
    let empty = || Ok(Some((document(&[]), Validators::default())));
    assert_eq!(asked.answer(gone()).await, REFRESH);
    assert_eq!(asked.answer(hostile()).await, DOCUMENT_RETRY);
    assert_eq!(asked.answer(empty()).await, DOCUMENT_RETRY * 2);
    let mut last = Duration::ZERO;
    for _ in 0..8 {
        last = asked.answer(gone()).await;
    }
    assert_eq!(last, DOCUMENT_RETRY_MOST);
    assert_eq!(tools(&api), ["a"]);
    assert_eq!(asked.document(&["b"]).await, DOCUMENT_RETRY_MOST);
    assert_eq!(asked.answer(gone()).await, REFRESH);
    assert_eq!(asked.answer(gone()).await, DOCUMENT_RETRY);
    assert_eq!(tools(&api), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_not_there_yet_is_asked_for_once_for_all_with_a_pause_that_grows() {
    let fetched = fetched(REFRESH);
    let mut pause = DOCUMENT_RETRY;
    for _ in 0..9 {
        let (source, mut asked) = scripted();
        let first = fetched.api_of(source);
        let (first, _) = tokio::join!(first, asked.answer(Err(FetchError::Status(StatusCode::NOT_FOUND))));
        // Calls in between get the same error, without a request.
        let (source, mut asked) = scripted();
        let second = fetched.api_of(source).await;
        assert_eq!(with_causes(&first.unwrap_err()), with_causes(&second.unwrap_err()));
        assert!(asked.0.recv().await.is_none());
        tokio::time::advance(pause).await;
        pause = (pause * 2).min(DOCUMENT_RETRY_MOST);
    }
    let (source, mut asked) = scripted();
    let (api, _) = tokio::join!(fetched.api_of(source), asked.document(&["a"]));
    assert_eq!(tools(&api.unwrap()), ["a"]);
    assert_eq!(asked.document(&["b"]).await, REFRESH);
}

#[tokio::test(start_paused = true)]
async fn a_document_of_an_upstream_that_is_gone_or_that_stays_as_it_is_is_not_fetched_again() {
    let (fetched, _api, mut asked) = here(REFRESH).await;
    drop(fetched);
    assert!(asked.0.recv().await.is_none());
    let (_fetched, _api, mut asked) = here(Duration::ZERO).await;
    assert!(asked.0.recv().await.is_none());
}
