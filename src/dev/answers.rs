//! What each call of the Workload API answers to a caller, composed from the present state.

use bytes::Bytes;
use portreeve_core::spiffe::jwt::DEFAULT_LEEWAY;
use portreeve_core::spiffe::{JwtAuthorities, SpiffeId};
use prost_types::value::Kind;
use serde_json::Value;
use tonic::Status;

use super::domain::Domain;
use super::{Entry, Fault, Issued, jwt};
use crate::identity::proto::{
    JwtBundlesResponse, JwtSvid, JwtSvidRequest, JwtSvidResponse, ValidateJwtSvidRequest,
    ValidateJwtSvidResponse, X509BundlesResponse, X509Svid, X509SvidResponse,
};

/// A JWT-SVID names few validators; one is recommended (JWT-SVID §7.2).
const MAX_AUDIENCES: usize = 16;

impl Domain {
    pub(super) fn x509_svids(&self, uid: u32) -> Result<X509SvidResponse, Status> {
        let bundle = self.bundle();
        let svids = self.entries_of(uid)?.into_iter().map(|(entry, issued)| X509Svid {
            spiffe_id: entry.id.to_string(),
            x509_svid: issued.chain_der().into(),
            x509_svid_key: Bytes::copy_from_slice(issued.key_der()),
            bundle: bundle.clone(),
            hint: entry.hint.clone().unwrap_or_default(),
        });
        Ok(X509SvidResponse {
            svids: svids.collect(),
            crl: Vec::new(),
            federated_bundles: self.federated.clone(),
        })
    }

    pub(super) fn x509_bundles(&self, uid: u32) -> Result<X509BundlesResponse, Status> {
        self.entries_of(uid)?;
        let mut bundles = self.federated.clone();
        bundles.insert(self.id(), self.bundle());
        Ok(X509BundlesResponse { crl: Vec::new(), bundles })
    }

    pub(super) fn jwt_svids(
        &self,
        uid: u32,
        request: &JwtSvidRequest,
    ) -> Result<JwtSvidResponse, Status> {
        if request.audience.is_empty() || request.audience.iter().any(String::is_empty) {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        if request.audience.len() > MAX_AUDIENCES {
            return Err(Status::invalid_argument("too many audiences"));
        }
        let wanted =
            |id: &SpiffeId| request.spiffe_id.is_empty() || request.spiffe_id == id.as_str();
        let now = self.clock.now();
        let entries = self.entries_of(uid)?.into_iter().filter(|(entry, _)| wanted(&entry.id));
        let svids = entries
            .map(|(entry, _)| {
                let token = self.active.jwt.sign(&entry.id, &request.audience, now, self.ttl);
                let svid = token.map_err(|error| Status::internal(error.to_string()))?;
                let hint = entry.hint.clone().unwrap_or_default();
                Ok(JwtSvid { spiffe_id: entry.id.to_string(), svid, hint })
            })
            .collect::<Result<Vec<_>, Status>>()?;
        if svids.is_empty() {
            return Err(no_identity());
        }
        Ok(JwtSvidResponse { svids })
    }

    pub(super) fn jwt_bundles(&self, uid: u32) -> Result<JwtBundlesResponse, Status> {
        self.entries_of(uid)?;
        let keys = Bytes::from(jwt::key_set(self.jwt_authorities()));
        let mut bundles = self.federated_jwt.clone();
        bundles.insert(self.id(), keys);
        Ok(JwtBundlesResponse { bundles })
    }

    /// As SPIRE: a token that does not hold is an invalid argument.
    pub(super) fn validate_jwt_svid(
        &self,
        request: &ValidateJwtSvidRequest,
    ) -> Result<ValidateJwtSvidResponse, Status> {
        self.check_fault()?;
        if request.audience.is_empty() {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        let ValidateJwtSvidRequest { audience, svid } = request;
        let keys = jwt::key_set(self.jwt_authorities());
        let authorities = JwtAuthorities::new([(self.trust_domain.clone(), keys.as_bytes())]);
        let audience = std::slice::from_ref(audience);
        let svid = authorities
            .verify(svid, audience, self.clock.now(), DEFAULT_LEEWAY)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let claims = match to_protobuf(Value::Object(svid.claims)).kind {
            Some(Kind::StructValue(claims)) => Some(claims),
            _ => None,
        };
        Ok(ValidateJwtSvidResponse { spiffe_id: svid.id.to_string(), claims })
    }

    /// The ID of the trust domain itself: the key of its bundles.
    fn id(&self) -> String {
        format!("spiffe://{}", self.trust_domain)
    }

    fn bundle(&self) -> Bytes {
        match self.fault {
            Fault::GarbageBundle => Bytes::from_static(b"this is no certificate"),
            Fault::None | Fault::Denied | Fault::Unavailable => {
                self.roots().flat_map(|root| root.iter().copied()).collect()
            }
        }
    }

    fn entries_of(&self, uid: u32) -> Result<Vec<&(Entry, Issued)>, Status> {
        self.check_fault()?;
        let matching: Vec<_> =
            self.entries.iter().filter(|(entry, _)| entry.selector.matches(uid)).collect();
        if matching.is_empty() { Err(no_identity()) } else { Ok(matching) }
    }

    fn check_fault(&self) -> Result<(), Status> {
        match self.fault {
            Fault::Denied => Err(no_identity()),
            Fault::Unavailable => Err(Status::unavailable("made unavailable by a test")),
            Fault::None | Fault::GarbageBundle => Ok(()),
        }
    }
}

/// SPIRE's words.
fn no_identity() -> Status {
    Status::permission_denied("no identity issued")
}

fn to_protobuf(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(values) => Kind::ListValue(prost_types::ListValue {
            values: values.into_iter().map(to_protobuf).collect(),
        }),
        Value::Object(fields) => Kind::StructValue(prost_types::Struct {
            fields: fields.into_iter().map(|(name, value)| (name, to_protobuf(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}
