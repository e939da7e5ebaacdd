//! `nwauth.txt` and `nwauth.add` of whoever wrote them: the base can be read,
//! and every name that a search finds is there.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{AuthRequest, Authenticator, Origin, Search, SearchOutcome, Service, Verdict};
use dmail_schemes::Scheme;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    });
}

async fn read(base: &NwAuth) {
    let origin = Origin::local(Service::Admin);
    let search = Search { pattern: "*".to_owned(), from: 0, max: None, origin };
    let Ok(SearchOutcome::Found(found)) = base.search(&search).await else { return };
    for hit in found.hits {
        let request = AuthRequest::lookup(hit.user, origin);
        let verdict = base.authenticate(&request).await;
        assert!(matches!(verdict, Ok(Verdict::Accepted(_))), "{:?}: {verdict:?}", request.user);
    }
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (text, journal) = input;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nwauth.txt"), text).expect("room");
    fs::write(folder.path().join("nwauth.add"), journal).expect("room");
    let mut config = NwAuthConfig::new(folder.path());
    config.scheme = Scheme::parse("ssha").expect("it is built in");
    if let Ok(base) = NwAuth::open(config) {
        RUNTIME.with(|runtime| runtime.block_on(read(&base)));
    }
});
