"""What edits of photographs are made with: the mesh's weights, and looks of photographs."""
