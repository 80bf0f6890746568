//! What stands between the nodes and their database: an address that leads to one server or another,
//! slowly, or nowhere.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
    time::sleep,
};

/// No server listens there.
const NOWHERE: u16 = 0;

pub(crate) struct Switch {
    pub(crate) address: SocketAddr,
    port: Arc<AtomicU16>,
    /// Milliseconds that each piece of what is sent takes.
    delay: Arc<AtomicU64>,
    cut: watch::Sender<bool>,
    _runtime: Runtime,
}

impl Switch {
    pub(crate) fn to(port: u16) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (port, delay) = (Arc::new(AtomicU16::new(port)), Arc::default());
        let (cut, is_cut) = watch::channel(false);
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        runtime.spawn(serve(
            listener,
            Arc::clone(&port),
            Arc::clone(&delay),
            is_cut,
        ));
        Self {
            address,
            port,
            delay,
            cut,
            _runtime: runtime,
        }
    }

    /// Connections that are open stay where they lead.
    pub(crate) fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    pub(crate) fn slow(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("a short time");
        self.delay.store(millis, Ordering::SeqCst);
    }

    /// Ends all connections, and those that come, until it is called with `false`.
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

async fn serve(
    listener: TcpListener,
    port: Arc<AtomicU16>,
    delay: Arc<AtomicU64>,
    is_cut: watch::Receiver<bool>,
) {
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
