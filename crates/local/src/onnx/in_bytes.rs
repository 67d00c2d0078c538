//! Lets a network whose weights are kept in bytes calculate in bytes, too.
//!
//! Such a file holds a matrix as `int8` with a factor for each column, and makes floats of it before it multiplies:
//! `MatMul(x, Mul(Cast(matrix), factors))`. The runtime does the inner part once, while it loads, so that memory holds floats and the
//! product is one of floats. What stands here instead is dynamic quantisation as the runtime's own tools write it
//! (`DynamicQuantizeLinear`, `MatMulInteger`: ONNX operators, opset 11): `x` in bytes over its own range, a product of bytes, and both
//! factors at the end. It is two to three times as fast on processors with instructions for that, and takes a quarter of the memory.
//!
//! Everything else of the file goes through as it is. Only the messages that must be understood are spelled out, by the field
//! numbers of `onnx.proto`.

use prost::Message;
use std::collections::{HashMap, HashSet};

/// `TensorProto.DataType.INT8`.
const INT8: i32 = 3;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, optional, tag = "1")]
    ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    producer_version: Option<String>,
    #[prost(string, optional, tag = "4")]
    domain: Option<String>,
    #[prost(int64, optional, tag = "5")]
    model_version: Option<i64>,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    opset_import: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "25")]
    functions: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    initializer: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "11")]
    input: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "12")]
    output: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    name: Option<String>,
    #[prost(string, optional, tag = "4")]
    op_type: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    attribute: Vec<Vec<u8>>,
    #[prost(string, optional, tag = "7")]
    domain: Option<String>,
}

/// What is to be known of a tensor; its numbers stay where they are.
#[derive(Clone, PartialEq, Message)]
struct TensorHead {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    data_type: Option<i32>,
    #[prost(string, optional, tag = "8")]
    name: Option<String>,
}

impl Node {
    fn new<const I: usize, const O: usize>(operator: &str, input: [&str; I], output: [&str; O]) -> Self {
        Self {
            input: input.map(str::to_owned).to_vec(),
            output: output.map(str::to_owned).to_vec(),
            name: Some(format!("{}/{operator}", output[0])),
            op_type: Some(operator.to_owned()),
            ..Self::default()
        }
    }

    fn is(&self, operator: &str) -> bool {
        self.op_type.as_deref() == Some(operator) && self.domain.as_deref().unwrap_or_default().is_empty()
    }
}

/// A matrix in bytes that is made floats before it is used.
struct Weights {
    matrix: String,
    factors: String,
    to_float: Vec<Vec<u8>>,
}

/// The same network, calculating in bytes. `None` when nothing of the file is such a matrix, or the file is none of ONNX.
pub(super) fn in_bytes(file: &[u8]) -> Option<Vec<u8>> {
    let mut model = Model::decode(file).ok()?;
    let graph = model.graph.as_mut()?;
    let weights = weights(graph);
    let (mut nodes, mut in_bytes, mut is_any) = (Vec::new(), HashSet::new(), false);
    for node in std::mem::take(&mut graph.node) {
        match (&node.input[..], &node.output[..]) {
            ([x, matrix], [product]) if node.is("MatMul") && weights.contains_key(matrix) => {
                if in_bytes.insert(x.clone()) {
                    let [bytes, factor, zero] = named(x);
                    nodes.push(Node::new("DynamicQuantizeLinear", [x], [&bytes, &factor, &zero]));
                }
                nodes.extend(product_of_bytes(x, &weights[matrix], product));
                is_any = true;
            }
            _ => nodes.push(node),
        }
    }
    graph.node = without_unused(nodes, &weights);
    is_any.then(|| model.encode_to_vec())
}

/// A tensor in bytes, what a step of it is worth, and which byte is zero.
fn named(x: &str) -> [String; 3] {
    ["bytes", "factor", "zero"].map(|what| format!("{x}/{what}"))
}

fn product_of_bytes(x: &str, weights: &Weights, product: &str) -> [Node; 4] {
    let [bytes, factor, zero] = named(x);
    let [whole, float, factors] = ["whole", "float", "factors"].map(|what| format!("{product}/{what}"));
    [
        Node::new("MatMulInteger", [&bytes, &weights.matrix, &zero], [&whole]),
        Node { attribute: weights.to_float.clone(), ..Node::new("Cast", [&whole], [&float]) },
        Node::new("Mul", [&factor, &weights.factors], [&factors]),
        Node::new("Mul", [&float, &factors], [product]),
    ]
}

/// Matrices with a factor for each column, by the name that they have as floats.
fn weights(graph: &Graph) -> HashMap<String, Weights> {
    let heads = graph.initializer.iter().filter_map(|tensor| TensorHead::decode(&tensor[..]).ok());
    let known: HashMap<String, TensorHead> = heads.filter_map(|head| Some((head.name.clone()?, head))).collect();
    let made: HashMap<&str, &Node> =
        graph.node.iter().filter_map(|node| Some((node.output.first()?.as_str(), node))).collect();
    let of = |node: &Node| {
        let [floats, factors] = &node.input[..] else { return None };
        let cast = made.get(floats.as_str()).filter(|cast| cast.is("Cast"))?;
        let (matrix, columns) = (known.get(cast.input.first()?)?, known.get(factors)?);
        let is_one = matrix.data_type == Some(INT8) && matrix.dims.len() == 2 && columns.dims == [1, matrix.dims[1]];
        let weights =
            Weights { matrix: cast.input[0].clone(), factors: factors.clone(), to_float: cast.attribute.clone() };
        is_one.then(|| Some((node.output.first()?.clone(), weights)))?
    };
    graph.node.iter().filter(|node| node.is("Mul")).filter_map(of).collect()
}

/// The nodes but those that only made floats for products that are made of bytes now.
fn without_unused(mut nodes: Vec<Node>, weights: &HashMap<String, Weights>) -> Vec<Node> {
    let matrices: HashSet<&str> = weights.values().map(|one| one.matrix.as_str()).collect();
    for operator in ["Mul", "Cast"] {
        let used: HashSet<String> = nodes.iter().flat_map(|node| node.input.iter().cloned()).collect();
        nodes.retain(|node| {
            let made_floats = match operator {
                "Mul" => node.output.first().is_some_and(|output| weights.contains_key(output)),
                _ => node.input.first().is_some_and(|input| matrices.contains(input.as_str())),
            };
            !(node.is(operator) && made_floats && node.output.iter().all(|output| !used.contains(output)))
        });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dims: &[i64], data_type: i32) -> Vec<u8> {
        TensorHead { dims: dims.to_vec(), data_type: Some(data_type), name: Some(name.to_owned()) }.encode_to_vec()
    }

    fn model(matrix: i32, factors: &[i64]) -> Vec<u8> {
        let node = vec![
            Node { attribute: vec![vec![8, 1]], ..Node::new("Cast", ["w"], ["w_f"]) },
            Node::new("Mul", ["w_f", "w_factors"], ["w_floats"]),
            Node::new("MatMul", ["x", "w_floats"], ["y"]),
            Node::new("MatMul", ["x", "w_floats"], ["z"]),
            Node::new("Softmax", ["y"], ["out"]),
        ];
        let initializer = vec![tensor("w", &[4, 3], matrix), tensor("w_factors", factors, 1)];
        let graph = Graph { node, initializer, output: vec![vec![10, 1, b'o']], ..Graph::default() };
        Model { ir_version: Some(10), graph: Some(graph), opset_import: vec![vec![16, 17]], ..Model::default() }
            .encode_to_vec()
    }

    #[test]
    fn a_product_with_a_matrix_in_bytes_is_made_of_bytes_and_the_rest_stays() {
        let made = Model::decode(&in_bytes(&model(INT8, &[1, 3])).expect("it has one")[..]).expect("a model");
        let graph = made.graph.expect("a graph");
        let operators: Vec<&str> = graph.node.iter().filter_map(|node| node.op_type.as_deref()).collect();
        let product = ["MatMulInteger", "Cast", "Mul", "Mul"];
        let wanted = [&["DynamicQuantizeLinear"][..], &product, &product, &["Softmax"]].concat();
        assert_eq!(operators, wanted, "x is quantised once, and nothing makes floats of the matrix");
        assert_eq!(graph.node[1].input, ["x/bytes", "w", "x/zero"]);
        assert_eq!(
            (graph.node[2].attribute.clone(), graph.node[4].output.clone()),
            (vec![vec![8, 1]], vec!["y".into()])
        );
        assert_eq!((graph.initializer.len(), graph.output.len(), made.opset_import), (2, 1, vec![vec![16, 17]]));
    }

    #[test]
    fn another_network_is_left_as_it_is() {
        assert_eq!(in_bytes(&model(1, &[1, 3])), None, "floats");
        assert_eq!(in_bytes(&model(INT8, &[4, 1])), None, "a factor for each row");
        assert_eq!(in_bytes(b"no model at all"), None);
        assert_eq!(in_bytes(b""), None);
    }
}
