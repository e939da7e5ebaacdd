//! The program itself with `authent_method mysql`.

use std::fs;

use dmail_tests::program;
use dmail_tests::site::Site;

use super::{SETTINGS, original};

#[test]
fn users_of_a_table_read_their_mail() {
    let Some(mut database) = original(&[]) else { return };
    let site = Site::new("authent_method mysql\nauthent_ini mysqlauth.ini\n");
    let (address, extra) = (database.address(), "mysql_login dmail\nmysql_password opensesame");
    let settings = SETTINGS.replace("field_maildrop maildrop", "");
    let text = format!("{settings}\nmysql_server {address}\n{extra}\nmysql_timeout 4\n");
    fs::write(site.home().join("mysqlauth.ini"), text).expect("room for it");
    let server = site.serve();
    let mut client = server.pop_client();
    client.ask("USER u7", "+OK");
    client.ask("PASS p7", "+OK");
    client.ask("QUIT", "+OK");
    let mut guess = server.pop_client();
    guess.ask("USER u7", "+OK");
    guess.ask("PASS p8", "-ERR");
    let said = site.dmail(&["authent", "lookup"], &["u8"], "");
    assert!(said.text().starts_with("+OK u8"), "{}{}", said.text(), said.err);
    // A user who was never here can neither get in nor be told "wrong".
    database.kill();
    let mut late = server.pop_client();
    late.ask("USER u9", "+OK");
    late.ask("PASS p9", "-ERR [SYS/TEMP]");
    database.restart();
    fs::write(site.home().join("mysqlauth.ini"), "mysql_lgoin x\n").expect("room for it");
    let config = site.config().display().to_string();
    let said = program::run(program::dmail(&["check-config", &config]), "");
    let all = format!("{}{}", said.text(), said.err);
    assert!(all.contains("did you mean `mysql_login`?"), "{all}");
}
