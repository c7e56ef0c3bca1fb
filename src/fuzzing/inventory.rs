//! Inventories: lists of images as engines print them.

use crate::ops::Inventory;

/// Uses the bytes as a list of images.
///
/// One that is accepted has the same layers when it is read twice, or as a part of another
/// list.
pub fn inventory(data: &[u8]) {
    let mut inventory = match Inventory::from_json(data) {
        Ok(inventory) => inventory,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let layers = inventory.layers();
    assert!(layers <= data.len());
    inventory.extend(inventory.clone());
    assert_eq!(inventory.layers(), layers);
    // The bytes may be several values.
    if serde_json::from_slice::<serde_json::Value>(data).is_ok() {
        let list = [b"{\"images\": [", data, b"]}"].concat();
        if let Ok(list) = Inventory::from_json(&list) {
            assert_eq!(list.layers(), layers);
        }
    }
}
