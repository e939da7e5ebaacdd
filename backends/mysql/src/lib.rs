//! MySQL and MariaDB as user bases: the original's table, or statements of the
//! site's own.
//!
//! ```text
//!   AuthRequest ─▶ Base ── queries, table: which statement
//!                   │  └── names: what the user is called there
//!                   ▼
//!                 pool ── host, host …: the first one that is up
//!                   │
//!                   ▼ rows
//!                 row: only the one with exactly this name ─▶ password ─▶ mailmask ─▶ Verdict
//! ```
//!
//! A server finds rows and stores them, and decides nothing: its collations
//! would take one user for another, and its trouble would look like a wrong
//! password. See `docs/mysqlauth.md`.

mod ask;
mod changes;
mod check;
mod lists;
mod mailmask;
mod names;
mod password;
mod pool;
mod prove;
mod queries;
mod row;
pub mod settings;
mod start;
mod statement;
mod store;
mod table;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Proofs, Purpose, Records, Search, SearchOutcome,
    Unavailable, Verdict,
};
use tokio::sync::Semaphore;

pub use pool::OptionsError;
pub use settings::VOCABULARY;
pub use start::{OpenError, check, open, open_settings};

use names::Names;
use password::Passwords;
use pool::Pool;
use queries::Queries;
use settings::Settings;

/// What the base is called in logs and traces.
const SOURCE: &str = "mysql";

/// An open base. Clones share it.
#[derive(Clone)]
pub struct MySql(Arc<Base>);

struct Base {
    pool: Pool,
    queries: Queries,
    names: Names,
    passwords: Passwords,
    settings: Settings,
    timeout: Duration,
    /// Passwords that are being stored anew.
    rehashing: Arc<Semaphore>,
}

#[async_trait]
impl Authenticator for MySql {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let base = &self.0;
        let verdict = match &request.purpose {
            Purpose::Check(secret) => base.check(&request.user, secret, &request.origin).await,
            Purpose::Lookup => base.lookup(&request.user).await,
            Purpose::Prove(proof) => base.prove(&request.user, proof, &request.origin).await,
            Purpose::Salt(question) => base.salt(&request.user, question, &request.origin).await,
        };
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.0.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.0.search(search).await
    }

    fn proofs(&self) -> Proofs {
        self.0.passwords.proofs()
    }

    /// It does if there is a mailmask. A statement of the site's own may return
    /// one, which its text does not tell for sure (`SELECT *`).
    fn sees_address(&self) -> bool {
        match &self.0.queries.table {
            Some(table) => table.layout.mailmask.is_some(),
            None => true,
        }
    }

    /// Statements of the site's own neither list whole records nor take them.
    fn records(&self) -> Option<&dyn Records> {
        self.0.queries.table.is_some().then_some(self as &dyn Records)
    }
}
