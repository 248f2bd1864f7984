//! TLS towards servers, by the rules of the configuration.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::configuration::{Host, Identity, Tls};
use crate::failure::{Failure, chain};

/// Encrypts a connection.
pub(crate) async fn encrypt(
    stream: TcpStream,
    host: &Host,
    tls: &Tls,
) -> Result<TlsStream<TcpStream>, Failure> {
    let connector = TlsConnector::from(Arc::new(config(tls)?));
    let name = match host {
        Host::Address(address) => ServerName::IpAddress((*address).into()),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| Failure::Later(format!("{name} cannot be the name of a server")))?,
    };
    connector.connect(name, stream).await.map_err(|error| {
        Failure::Later(format!(
            "no TLS with {host}: {}; check its certificate, the authority and the client \
             certificate in the configuration",
            chain(&error)
        ))
    })
}

/// Whether these rules can work, as far as that can be known without the other side.
pub(crate) fn check(tls: &Tls) -> Result<(), Failure> {
    config(tls).map(drop)
}

fn config(tls: &Tls) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match &tls.authority {
        None => Arc::new(Anybody(Arc::clone(&provider))),
        Some(authority) => verifier(authority, &provider)?,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Later(chain(&error)))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &tls.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let (chain_of, key) = pair(identity)?;
            builder.with_client_auth_cert(chain_of, key).map_err(|error| {
                Failure::Later(format!("the client certificate cannot be used: {}", chain(&error)))
            })
        }
    }
}

fn verifier(
    authority: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::Later(format!("the certificate of the authority cannot be used: {why}"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| refused(&error))
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn pair(identity: &Identity) -> Result<Pair, Failure> {
    let refused =
        |why: &str| Failure::Later(format!("the client certificate cannot be used: {why}"));
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    let certificates = certificates.map_err(|_| refused("its PEM text cannot be read"))?;
    let key = identity.private_key.reveal().ok_or_else(|| refused("it has no private key"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| refused("its private key cannot be read"))?;
    Ok((certificates, key))
}

/// Takes any certificate, as the configuration asks; the handshake must still be signed by its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
