//! Registries that want to know who we are.

use wfhost_registry::{ComponentToPush, Error, pull_component, push_component};
use wfhost_testkit::registry::{PASSWORD, Registry, USER};

use crate::place::{Place, as_user, options, reference};

#[test]
fn a_registry_with_a_password_lets_in_who_knows_it() {
    let (registry, place) = (Registry::with_password(), Place::new());
    let at = reference(&registry.reference("acme/text:1"));
    let path = place.component(100_000);
    let component = ComponentToPush::of(&path);
    let known = as_user(USER, PASSWORD);
    let pushed = push_component(&component, &at, &known).unwrap();
    let pulled = pull_component(&at, &known, &place.target()).unwrap();
    assert_eq!(pulled.manifest, pushed.manifest);

    for (options, had, hint) in [
        (options(), false, "run: docker login 127.0.0.1:"),
        (as_user(USER, "guess"), true, "not accepted"),
        (as_user("else", PASSWORD), true, "not accepted"),
    ] {
        let sent = push_component(&component, &at, &options).unwrap_err();
        let fetched = place.fails(|| pull_component(&at, &options, &place.target()));
        for error in [sent, fetched] {
            let told = matches!(error, Error::Unauthorized { had_login, .. } if had_login == had);
            assert!(told && error.hint().unwrap().contains(hint), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("guess"), "no password is told");
        }
    }
}
