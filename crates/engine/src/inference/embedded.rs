//! The embedded runtime: the nets of this product and no others, in safe Rust, on the calling thread.
//!
//! A file is read into a list of layers ([`graph`]), which is laid out in memory for each size of input
//! ([`program`]) and run by kernels that use the vectors of the processor ([`kernels`]). Why not a runtime for
//! all nets: `docs/explain/decisions/0006-own-embedded-runtime.md`.

mod faces;
mod graph;
mod kernels;
mod memory;
mod onnx;
mod output;
mod program;
#[cfg(test)]
mod tests;
mod window;
mod winograd;

use std::sync::{Arc, PoisonError, RwLock};

use prost::Message;
use pulp::Arch;

use super::{
    models::Model,
    network::{InputSize, Network},
};
use graph::Graph;
use program::Program;

/// A net, laid out for each size of its input that came.
pub(super) struct EmbeddedNetwork {
    graph: Arc<Graph>,
    size: u32,
    programs: RwLock<Vec<(InputSize, Arc<Program>)>>,
}

impl EmbeddedNetwork {
    /// Reads the file and lays the net out for its largest input.
    pub(super) fn load(model: &Model) -> Result<Self, String> {
        let file = onnx::Model::decode(model.onnx)
            .map_err(|error| format!("the file is not ONNX: {error}"))?;
        let graph = Graph::read(&file)?;
        let side = model.largest.or(graph.side);
        let network = Self {
            size: side.ok_or("its input has no fixed size")?,
            graph: Arc::new(graph),
            programs: RwLock::default(),
        };
        network.program(InputSize::square(network.size))?;
        Ok(network)
    }

    /// The net for inputs of this size, laid out when it is the first.
    fn program(&self, size: InputSize) -> Result<Arc<Program>, String> {
        let find = |programs: &[(InputSize, Arc<Program>)]| {
            let found = programs.iter().find(|(known, _)| *known == size);
            found.map(|(_, program)| Arc::clone(program))
        };
        let known = self.programs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = find(&known) {
            return Ok(program);
        }
        drop(known);
        // Whoever comes at the same time waits here, and finds it done.
        let mut programs = self
            .programs
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = find(&programs) {
            return Ok(program);
        }
        let [_, _, rows, columns] = size.shape();
        let program = Program::new(Arc::clone(&self.graph), [rows, columns], Arch::new())
            .ok_or_else(|| format!("the net takes no input of {columns}x{rows} pixels"))?;
        let program = Arc::new(program);
        programs.push((size, Arc::clone(&program)));
        Ok(program)
    }
}

impl Network for EmbeddedNetwork {
    fn size(&self) -> u32 {
        self.size
    }

    fn run(&self, rgb: &[u8], size: InputSize) -> Result<Vec<Vec<f32>>, String> {
        let [_, channels, rows, columns] = size.shape();
        if rgb.len() != channels * rows * columns {
            return Err(format!(
                "{} bytes are no {columns}x{rows} pixels",
                rgb.len()
            ));
        }
        let outputs = self.program(size)?.run(rgb);
        Ok(if self.graph.faces {
            faces::answers(&outputs, columns)
        } else {
            outputs.into_iter().map(|output| output.values).collect()
        })
    }
}
