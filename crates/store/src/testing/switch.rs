//! What stands between a store and its database: an address that leads to one server or another,
//! slowly, or nowhere.

use std::{
    net::{self, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime,
    sync::watch,
    time::sleep,
};

/// No server listens there.
const NOWHERE: u16 = 0;

/// An address that leads to a server of this machine until it is told otherwise. It works on a thread of
/// its own, which ends with it.
#[derive(Debug)]
pub struct Switch {
    /// Where it listens.
    pub address: SocketAddr,
    port: Arc<AtomicU16>,
    /// Milliseconds that each piece of what is sent takes.
    delay: Arc<AtomicU64>,
    cut: watch::Sender<bool>,
}

impl Switch {
    /// Leads to this port.
    pub fn to(port: u16) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (port, delay) = (Arc::new(AtomicU16::new(port)), Arc::default());
        let (cut, mut is_cut) = watch::channel(false);
        let relay = serve(
            listener,
            Arc::clone(&port),
            Arc::clone(&delay),
            is_cut.clone(),
        );
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = relay => {}
                    // Never that: waits until the switch is gone.
                    () = async { while is_cut.changed().await.is_ok() {} } => {}
                }
            });
        });
        Self {
            address,
            port,
            delay,
            cut,
        }
    }

    /// Connections that are open stay where they lead.
    pub fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// How long each piece of what is sent takes from now on.
    pub fn slow(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("a short time");
        self.delay.store(millis, Ordering::SeqCst);
    }

    /// Ends all connections, and those that come, until it is called with `false`.
    pub fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }

    /// The address of a database through it, of its address without it.
    pub fn url(&self, direct: &str) -> String {
        let name = direct.rsplit_once('/').expect("a database").1;
        format!("postgres://livecheck@{}/{name}", self.address)
    }
}

async fn serve(
    listener: net::TcpListener,
    port: Arc<AtomicU16>,
    delay: Arc<AtomicU64>,
    is_cut: watch::Receiver<bool>,
) {
    listener
        .set_nonblocking(true)
        .expect("a listener that waits for nobody");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((near, _)) = listener.accept().await else {
            // A flood of connections has taken the files that this process may open.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (port, delay, mut cut) = (
            port.load(Ordering::SeqCst),
            Arc::clone(&delay),
            is_cut.clone(),
        );
        tokio::spawn(async move {
            let relayed = async {
                let far = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
                if port == NOWHERE {
                    return None;
                }
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::select! {
                    end = relay(near_in, far_out, &delay) => end,
                    end = relay(far_in, near_out, &delay) => end,
                }
            };
            tokio::select! {
                _ = relayed => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
        });
    }
}

/// Until either end is closed.
async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: &AtomicU64,
) -> Option<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = from
            .read(&mut piece)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        sleep(Duration::from_millis(delay.load(Ordering::SeqCst))).await;
        to.write_all(&piece[..count]).await.ok()?;
    }
}
