//! A client of Dovecot's auth protocol, as a login process of Dovecot is one.
//! Its cryptography is Python's own, so that it agrees with ours only if both
//! are right.

use std::path::Path;
use std::process::Command;

use crate::program::{Said, run};

/// Arguments: socket, minor version, mechanism, user, then words: `final` (the
/// client takes the last message with OK), `bind=HEX` (the TLS connection),
/// `lie` (it binds to another one).
const CLIENT: &str = r#"
import base64, hashlib, hmac, os, socket, sys
path, minor, mechanism, user = sys.argv[1:5]
words = dict(word.partition('=')[::2] for word in sys.argv[5:])
password = sys.stdin.read().rstrip('\n').encode()
b64 = lambda data: base64.b64encode(data).decode()
auth = socket.socket(socket.AF_UNIX)
auth.settimeout(30)
auth.connect(path)
lines = auth.makefile('rw', newline='\n')

def send(*fields):
    lines.write('\t'.join(fields) + '\n')
    lines.flush()

def receive():
    line = lines.readline().rstrip('\n')
    if not line:
        print('closed')
        sys.exit()
    return line.split('\t')

send('VERSION', '1', minor)
send('CPID', str(os.getpid()))
offered = []
while (line := receive())[0] != 'DONE':
    if line[0] == 'MECH':
        offered.append(':'.join(line[1:]))
print('offers', *offered)

def begin(first):
    flags = ['final-resp-ok'] if 'final' in words else []
    send('AUTH', '1', mechanism, 'service=imap', 'rip=192.0.2.7', *flags, 'resp=' + b64(first))
    return receive()

def end(line):
    if line[0] == 'CONT' and 'final' not in words:
        told = base64.b64decode(line[2])
        send('CONT', '1', '')
        line = receive()
    else:
        told = b''.join(base64.b64decode(field[5:]) for field in line if field.startswith('resp='))
    print(*(field for field in line if not field.startswith('resp=')))
    return told

if mechanism.startswith('SCRAM'):
    name = mechanism.removesuffix('-PLUS').removeprefix('SCRAM-').replace('-', '').lower()
    channel = bytes.fromhex(words.get('bind', ''))
    header = b'p=tls-exporter,,' if mechanism.endswith('PLUS') else b'n,,'
    nonce = b64(os.urandom(18))
    bare = f'n={user},r={nonce}'
    line = begin(header + bare.encode())
    if line[0] != 'CONT':
        print(*line)
        sys.exit()
    first = base64.b64decode(line[2]).decode()
    fields = dict(field.split('=', 1) for field in first.split(','))
    print('salt', len(base64.b64decode(fields['s'])), fields['i'], *line[3:])
    assert fields['r'].startswith(nonce) and len(fields['r']) > len(nonce) + 16
    unproved = f"c={b64(header + channel)},r={fields['r']}"
    said = f'{bare},{first},{unproved}'.encode()
    mac = lambda key, text: hmac.digest(key, text, name)
    salted = hashlib.pbkdf2_hmac(name, password, base64.b64decode(fields['s']), int(fields['i']))
    client = mac(salted, b'Client Key')
    signature = mac(hashlib.new(name, client).digest(), said)
    proof = bytes(one ^ two for one, two in zip(client, signature))
    binding = ['channel_binding=' + b64(b'another' if 'lie' in words else channel)] if channel else []
    send('CONT', '1', b64(f'{unproved},p={b64(proof)}'.encode()), *binding)
    told = end(receive())
    if told:
        right = told == b'v=' + base64.b64encode(mac(mac(salted, b'Server Key'), said))
        print('the server', 'knows' if right else 'does not know', 'the password')
elif mechanism in ('OAUTHBEARER', 'XOAUTH2'):
    name = f'a={user}' if user else ''
    who = f'n,{name},' if mechanism == 'OAUTHBEARER' else f'user={user}'
    line = begin(f'{who}\1auth=Bearer '.encode() + password + b'\1\1')
    if line[0] == 'CONT':
        print('told', base64.b64decode(line[2]).decode())
        send('CONT', '1', b64(b'\1'))
        line = receive()
    print(*line)
else:
    print(*begin(f'\0{user}\0'.encode() + password))
"#;

/// Logs in over the socket. What is printed: the mechanisms that are offered,
/// the salt or why a token was refused, the last answer, and whether the server
/// knows the password, too.
#[must_use]
pub fn log_in(
    socket: &Path,
    minor: u32,
    mechanism: &str,
    user: &str,
    password: &str,
    words: &[&str],
) -> Said {
    let mut client = Command::new("python3");
    client.args(["-c", CLIENT]).arg(socket).args([&minor.to_string(), mechanism, user]);
    client.args(words);
    run(client, password)
}
