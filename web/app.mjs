document.getElementById('app').textContent = 'Vedette';
