//! Where a request chosen by a business may go, and that a refusal tells it nothing.

use base::wire::{Connect, HttpRequest, Method};
use base::{ErrorClass, Failure, Millis};
use egress::address::is_public;
use egress::{Egress, EgressConfig, Policy, UpgradeError};
use tokio::net::TcpListener;

const DEADLINE: Millis = Millis(2_000);

fn get(url: &str) -> HttpRequest {
    HttpRequest { method: Method::Get, url: url.into(), headers: Vec::new(), body: Vec::new() }
}

async fn refused(egress: &Egress, url: &str) -> Failure {
    egress.http(get(url), DEADLINE).await.expect_err("must not be sent")
}

#[test]
fn special_addresses_are_not_public() {
    let special = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:0808:0808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ];
    for address in special {
        assert!(!is_public(address.parse().expect("an address")), "{address} is special");
    }
}

#[test]
fn ordinary_addresses_are_public() {
    let ordinary = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:830::200e",
        "2001:4860:4860::8888",
        "64:ff9b::8.8.8.8",
    ];
    for address in ordinary {
        assert!(is_public(address.parse().expect("an address")), "{address} is ordinary");
    }
}

#[tokio::test]
async fn a_business_reaches_no_inner_address_however_it_is_spelt() {
    let egress = Egress::new(EgressConfig::new(Policy::Tenant));
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "169.254.169.254",
        "2852039166",
        "metadata.google.internal",
        "metadata",
        "kubernetes",
        "db.corp",
        "printer.local",
        "router.lan",
        "1.0.0.127.in-addr.arpa",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0",
        "0.0.0.0",
        "①②⑦.⓪.⓪.①",
        "%31%32%37.0.0.1",
        "10.0.0.1",
        "192.168.1.1:8443",
    ];
    for host in hosts {
        let failure = refused(&egress, &format!("https://{host}/")).await;
        assert_eq!(failure.to_string(), "unavailable: the address cannot be reached", "{host}");
        let connect = Connect::websocket(format!("wss://{host}/"));
        let Err(UpgradeError::Failed(same)) = egress.websocket(connect, DEADLINE).await else {
            panic!("{host} opened")
        };
        assert_eq!(same, failure, "{host}");
        let connect = Connect::grpc(format!("https://{host}/acme.Ears/Hear"));
        let Err(UpgradeError::Failed(same)) = egress.grpc(connect, DEADLINE).await else { panic!("{host} opened") };
        assert_eq!(same, failure, "{host}");
    }
}

#[tokio::test]
async fn what_is_open_looks_to_a_business_like_what_is_closed() {
    let egress = Egress::new(EgressConfig::new(Policy::Tenant));
    let open = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = { TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address") };
    let open_says = refused(&egress, &format!("https://{}/", open.local_addr().expect("its address"))).await;
    assert_eq!(open_says, refused(&egress, &format!("https://{closed}/")).await);
    assert_eq!(open_says, refused(&egress, "https://does-not-exist.invalid/").await);
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), open.accept()).await;
    assert!(nobody.is_err(), "no connection was made");
}

#[tokio::test]
async fn plain_text_is_for_loopback_and_addresses_hold_no_password() {
    let operator = Egress::new(EgressConfig::new(Policy::Operator));
    let tenant = Egress::new(EgressConfig::new(Policy::Tenant));
    for url in
        ["http://8.8.8.8/", "ftp://8.8.8.8/", "https://user:secret@8.8.8.8/", "nonsense", "http:///", "file:///etc"]
    {
        for egress in [&operator, &tenant] {
            let failure = refused(egress, url).await;
            assert_eq!(failure.class, ErrorClass::Invalid, "{url}: {failure}");
            assert!(!failure.detail.contains("secret"), "{failure}");
        }
    }
    assert_eq!(refused(&tenant, "http://127.0.0.1/").await.class, ErrorClass::Invalid);
    let named = refused(&operator, "http://example.invalid/").await;
    assert!(matches!(named.class, ErrorClass::Unavailable | ErrorClass::Invalid), "{named}");
}
